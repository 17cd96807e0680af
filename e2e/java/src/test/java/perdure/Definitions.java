package perdure;

import io.temporal.activity.Activity;
import io.temporal.activity.ActivityCancellationType;
import io.temporal.activity.ActivityInterface;
import io.temporal.activity.ActivityOptions;
import io.temporal.activity.LocalActivityOptions;
import io.temporal.client.ActivityCompletionException;
import io.temporal.common.RetryOptions;
import io.temporal.failure.ApplicationFailure;
import io.temporal.failure.CanceledFailure;
import io.temporal.workflow.ChildWorkflowOptions;
import io.temporal.workflow.QueryMethod;
import io.temporal.workflow.SignalMethod;
import io.temporal.workflow.Workflow;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;
import java.time.Duration;
import java.util.Map;

/** The workflows and activities of the suite. */
final class Definitions {
  private Definitions() {}

  @ActivityInterface
  public interface Acts {
    String greet(String name);

    int failUntilAttempt(int n);

    void failForGood();

    void failWithCause();

    void hang(int millis);

    String resumeFromHeartbeat();

    String untilCancelled(boolean accept);
  }

  public static final class ActsImpl implements Acts {
    @Override
    public String greet(String name) {
      return "Hello, " + name + "!";
    }

    @Override
    public int failUntilAttempt(int n) {
      int attempt = Activity.getExecutionContext().getInfo().getAttempt();
      if (attempt < n) throw new IllegalStateException("attempt " + attempt);
      return attempt;
    }

    @Override
    public void failForGood() {
      throw ApplicationFailure.newNonRetryableFailure("no", "Never", "detail");
    }

    @Override
    public void failWithCause() {
      throw ApplicationFailure.newNonRetryableFailureWithCause("outer", "Outer", new IllegalArgumentException("inner"));
    }

    @Override
    public void hang(int millis) {
      Workflows.pause(millis);
    }

    @Override
    public String resumeFromHeartbeat() {
      var context = Activity.getExecutionContext();
      var details = context.getHeartbeatDetails(String.class);
      if (details.isPresent()) return details.get();
      context.heartbeat("got this far");
      throw new IllegalStateException("stumbled");
    }

    @Override
    public String untilCancelled(boolean accept) {
      try {
        while (true) {
          Activity.getExecutionContext().heartbeat(null);
          Workflows.pause(50);
        }
      } catch (ActivityCompletionException e) {
        if (accept) throw e;
        return "finished anyway";
      }
    }
  }

  @WorkflowInterface
  public interface Case {
    @WorkflowMethod
    String run(String name, String argument);

    @SignalMethod
    void go(String word);

    @QueryMethod
    String state();
  }

  @WorkflowInterface
  public interface Child {
    @WorkflowMethod
    String child(boolean fail);
  }

  public static final class ChildImpl implements Child {
    @Override
    public String child(boolean fail) {
      if (fail) throw ApplicationFailure.newFailure("child fell", "Fell");
      return Workflow.getInfo().getParentWorkflowId().orElseThrow();
    }
  }

  /** One workflow type; its first argument says which case it plays. */
  public static final class Workflows implements Case {
    private String got;

    static void pause(int millis) {
      try {
        Thread.sleep(millis);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    private static RetryOptions attempts(int n) {
      return RetryOptions.newBuilder().setInitialInterval(Duration.ofMillis(20)).setMaximumAttempts(n).build();
    }

    private static ActivityOptions.Builder options() {
      return ActivityOptions.newBuilder().setStartToCloseTimeout(Duration.ofSeconds(10)).setRetryOptions(attempts(0));
    }

    private static Acts acts(ActivityOptions.Builder options) {
      return Workflow.newActivityStub(Acts.class, options.build());
    }

    @Override
    public void go(String word) {
      got = word;
    }

    @Override
    public String state() {
      return got == null ? "waiting" : got;
    }

    @Override
    public String run(String name, String argument) {
      Duration second = Duration.ofSeconds(1);
      switch (name) {
        case "hello":
          return acts(options()).greet(argument);
        case "retried":
          return "" + acts(options().setRetryOptions(attempts(Integer.parseInt(argument)))).failUntilAttempt(3);
        case "nonRetryable":
          acts(options()).failForGood();
          return "";
        case "causeChain":
          acts(options()).failWithCause();
          return "";
        case "timedOut":
          acts(
                  Map.of(
                          "TIMEOUT_TYPE_SCHEDULE_TO_START",
                              options().setTaskQueue("nobody-listens").setScheduleToStartTimeout(second),
                          "TIMEOUT_TYPE_SCHEDULE_TO_CLOSE",
                              ActivityOptions.newBuilder().setScheduleToCloseTimeout(second),
                          "TIMEOUT_TYPE_START_TO_CLOSE",
                              options().setStartToCloseTimeout(second).setRetryOptions(attempts(1)),
                          "TIMEOUT_TYPE_HEARTBEAT",
                              options().setHeartbeatTimeout(second).setRetryOptions(attempts(1)))
                      .get(argument))
              .hang(4000);
          return "";
        case "heartbeatDetails":
          return acts(options()).resumeFromHeartbeat();
        case "cancelled":
          return acts(options()
                  .setStartToCloseTimeout(Duration.ofMinutes(1))
                  .setHeartbeatTimeout(Duration.ofSeconds(2))
                  .setCancellationType(ActivityCancellationType.WAIT_CANCELLATION_COMPLETED))
              .untilCancelled(argument.equals("accept"));
        case "local":
          return Workflow.newLocalActivityStub(
                  Acts.class, LocalActivityOptions.newBuilder().setStartToCloseTimeout(second).build())
              .greet(argument);
        case "napping":
          long began = Workflow.currentTimeMillis();
          Workflow.sleep(Duration.ofMillis(700));
          return "" + (Workflow.currentTimeMillis() - began);
        case "waiting":
          Workflow.await(() -> got != null);
          return got;
        case "parent":
          return Workflow.newChildWorkflowStub(Child.class, ChildWorkflowOptions.getDefaultInstance())
              .child(argument.equals("fail"));
        case "countdown":
          int n = Integer.parseInt(argument);
          if (n > 0) Workflow.continueAsNew("countdown", "" + (n - 1));
          return Workflow.getInfo().getFirstExecutionRunId();
        case "forever":
          Workflow.sleep(Duration.ofDays(1));
          return "";
        case "shielded":
          try {
            Workflow.sleep(Duration.ofDays(1));
            return "never";
          } catch (CanceledFailure e) {
            String[] result = new String[1];
            Workflow.newDetachedCancellationScope(() -> result[0] = acts(options()).greet("clean-up")).run();
            return result[0];
          }
        case "interrupted":
          String before = acts(options()).greet("before");
          Workflow.await(() -> got != null);
          return before + acts(options()).greet("after");
        default:
          throw ApplicationFailure.newNonRetryableFailure("no case " + name, "Bug");
      }
    }
  }
}
