package perdure;

import io.temporal.activity.Activity;
import io.temporal.activity.ActivityInterface;
import io.temporal.client.ActivityCompletionException;
import io.temporal.failure.ApplicationFailure;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Activities that say what they are told, standing alone or in a workflow. */
@ActivityInterface
public interface Alone {
  String introduce(String greeting);

  /** Fails so often, and tells the attempt it heard of last. */
  String stumble(int times);

  /** Reports until it is stopped; later attempts say why the first was. */
  String beat(boolean accept);

  /** Is completed by others. */
  String elsewhere();

  final class Impl implements Alone {
    /** By activity's run, or workflow's: the exception that stopped it first. */
    static final Map<String, String> TOLD = new ConcurrentHashMap<>();

    static final Map<String, byte[]> TOKENS = new ConcurrentHashMap<>();

    private static String key() {
      var info = Activity.getExecutionContext().getInfo();
      return info.getWorkflowId() == null || info.getWorkflowId().isEmpty() ? info.getActivityId() : info.getWorkflowId();
    }

    @Override
    public String introduce(String greeting) {
      var info = Activity.getExecutionContext().getInfo();
      return greeting + ", this is attempt " + info.getAttempt() + " of " + info.getActivityId();
    }

    @Override
    public String stumble(int times) {
      var context = Activity.getExecutionContext();
      int attempt = context.getInfo().getAttempt();
      int before = context.getHeartbeatDetails(Integer.class).orElse(0);
      context.heartbeat(attempt);
      if (attempt <= times) throw ApplicationFailure.newFailure("attempt " + attempt, "Stumbled");
      return "attempt " + attempt + " after " + before;
    }

    @Override
    public String beat(boolean accept) {
      var context = Activity.getExecutionContext();
      String before = TOLD.get(key());
      if (before != null) return "attempt " + context.getInfo().getAttempt() + " after " + before;
      try {
        while (true) {
          context.heartbeat("some way");
          Definitions.Workflows.pause(30);
        }
      } catch (ActivityCompletionException e) {
        TOLD.put(key(), e.getClass().getSimpleName());
        if (accept) throw e;
        return "finished all the same";
      }
    }

    @Override
    public String elsewhere() {
      var context = Activity.getExecutionContext();
      TOKENS.put(context.getInfo().getActivityId(), context.getTaskToken());
      context.doNotCompleteOnReturn();
      return null;
    }
  }
}
