package example;

import io.temporal.activity.Activity;
import io.temporal.activity.ActivityCancellationType;
import io.temporal.activity.ActivityInterface;
import io.temporal.activity.ActivityOptions;
import io.temporal.client.ActivityCanceledException;
import io.temporal.client.ActivityClient;
import io.temporal.client.ActivityFailedException;
import io.temporal.client.StartActivityOptions;
import io.temporal.client.WorkflowClient;
import io.temporal.client.WorkflowFailedException;
import io.temporal.client.WorkflowOptions;
import io.temporal.client.WorkflowStub;
import io.temporal.common.RetryOptions;
import io.temporal.failure.CanceledFailure;
import io.temporal.serviceclient.WorkflowServiceStubs;
import io.temporal.serviceclient.WorkflowServiceStubsOptions;
import io.temporal.worker.WorkerFactory;
import io.temporal.worker.WorkerOptions;
import io.temporal.workflow.Workflow;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;
import java.time.Duration;

/**
 * The life of an activity with the Java SDK: it fails and is retried from its last heartbeat, then
 * another is cancelled and cleans up; and both once more without a workflow. Beside "perdure
 * server": mvn -q compile exec:java
 */
public class Main {
  static final String QUEUE = "example-java";

  @ActivityInterface
  public interface Rows {
    String copy(int rows);
  }

  /** Copies rows one by one and reports how far it is. The first attempt stumbles half-way. */
  public static class RowsInSteps implements Rows {
    @Override
    public String copy(int rows) {
      var context = Activity.getExecutionContext();
      int attempt = context.getInfo().getAttempt();
      int first = context.getHeartbeatDetails(Integer.class).orElse(0);
      for (int done = first; done < rows; ) {
        work();
        done++;
        try {
          context.heartbeat(done);
        } catch (ActivityCanceledException cancelled) {
          System.out.println("  cleaning up after row " + done);
          throw cancelled; // accept; returning a result instead would ignore it
        }
        if (attempt == 1 && done == rows / 2) {
          throw new IllegalStateException("the disk is busy");
        }
      }
      return "rows %d to %d copied in attempt %d".formatted(first + 1, rows, attempt);
    }

    private static void work() {
      try {
        Thread.sleep(20);
      } catch (InterruptedException stopping) {
        throw Activity.wrap(stopping);
      }
    }
  }

  @WorkflowInterface
  public interface Copy {
    @WorkflowMethod
    String run(int rows);
  }

  public static class CopyOnce implements Copy {
    private final Rows rows =
        Workflow.newActivityStub(
            Rows.class,
            ActivityOptions.newBuilder()
                .setStartToCloseTimeout(Duration.ofMinutes(1)) // one attempt
                .setHeartbeatTimeout(Duration.ofSeconds(10)) // between two reports
                .setCancellationType(ActivityCancellationType.WAIT_CANCELLATION_COMPLETED)
                .setRetryOptions(RetryOptions.newBuilder().setInitialInterval(Duration.ofMillis(100)).build())
                .build());

    @Override
    public String run(int n) {
      return rows.copy(n);
    }
  }

  public static void main(String[] args) {
    String address = System.getenv().getOrDefault("TEMPORAL_ADDRESS", "localhost:7233");
    var stubs = WorkflowServiceStubs.newServiceStubs(WorkflowServiceStubsOptions.newBuilder().setTarget(address).build());
    var client = WorkflowClient.newInstance(stubs);
    var factory = WorkerFactory.newInstance(client);
    var worker =
        factory.newWorker(QUEUE, WorkerOptions.newBuilder().setMaxHeartbeatThrottleInterval(Duration.ofMillis(100)).build());
    worker.registerWorkflowImplementationTypes(CopyOnce.class);
    worker.registerActivitiesImplementations(new RowsInSteps());
    factory.start();

    System.out.println(copy(client).run(10));
    var cancelled = WorkflowStub.fromTyped(copy(client));
    cancelled.start(1_000_000);
    cancelled.cancel();
    try {
      cancelled.getResult(String.class);
    } catch (WorkflowFailedException e) {
      if (!(e.getCause() instanceof CanceledFailure)) {
        throw e;
      }
      System.out.println("cancelled");
    }
    alone(ActivityClient.newInstance(stubs));
    factory.shutdownNow();
    stubs.shutdownNow();
  }

  /** The same activity without a workflow: a client starts it under an id of its own and waits for its result. */
  private static void alone(ActivityClient client) {
    var options =
        StartActivityOptions.newBuilder()
            .setId("copy-alone")
            .setTaskQueue(QUEUE)
            .setStartToCloseTimeout(Duration.ofMinutes(1))
            .setHeartbeatTimeout(Duration.ofSeconds(10))
            .setRetryOptions(RetryOptions.newBuilder().setInitialInterval(Duration.ofMillis(100)).build())
            .build();
    System.out.println("alone: " + client.execute("Copy", String.class, options, 10));
    client.start("Copy", options, 1_000_000); // the id is free again
    var handle = client.getHandle("copy-alone", null, String.class); // whoever knows it can cancel it, wait for it
    handle.cancel("changed my mind");
    try {
      handle.getResult();
    } catch (ActivityFailedException e) {
      if (!(e.getCause() instanceof CanceledFailure)) {
        throw e;
      }
      System.out.println("alone: cancelled");
    }
  }

  private static Copy copy(WorkflowClient client) {
    return client.newWorkflowStub(Copy.class, WorkflowOptions.newBuilder().setTaskQueue(QUEUE).build());
  }
}
