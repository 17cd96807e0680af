package perdure;

import io.temporal.activity.ActivityOptions;
import io.temporal.failure.ApplicationFailure;
import io.temporal.workflow.SignalMethod;
import io.temporal.workflow.UpdateMethod;
import io.temporal.workflow.UpdateValidatorMethod;
import io.temporal.workflow.Workflow;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;
import java.time.Duration;

/** A workflow that is changed by updates until it is told to end. */
@WorkflowInterface
public interface Counter {
  @WorkflowMethod
  int count();

  @UpdateMethod
  int add(int n);

  @UpdateValidatorMethod(updateName = "add")
  void validateAdd(int n);

  @UpdateMethod
  String greetAndAdd(int n);

  @UpdateMethod
  void endAndHang();

  @SignalMethod
  void end();

  final class Impl implements Counter {
    private int total;
    private boolean ended;

    @Override
    public int count() {
      Workflow.await(() -> ended);
      return total;
    }

    @Override
    public int add(int n) {
      if (n > 100) throw ApplicationFailure.newFailure("too much at once", "Bound");
      total += n;
      return total;
    }

    @Override
    public void validateAdd(int n) {
      if (n < 0) throw new IllegalArgumentException("never negative");
    }

    @Override
    public String greetAndAdd(int n) {
      var acts =
          Workflow.newActivityStub(
              Definitions.Acts.class,
              ActivityOptions.newBuilder().setStartToCloseTimeout(Duration.ofSeconds(30)).build());
      String greeting = acts.greet("" + n);
      total += n;
      return greeting;
    }

    @Override
    public void endAndHang() {
      ended = true;
      Workflow.sleep(Duration.ofHours(1));
    }

    @Override
    public void end() {
      ended = true;
    }
  }
}
