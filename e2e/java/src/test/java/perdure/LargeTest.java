package perdure;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.temporal.activity.Activity;
import io.temporal.activity.ActivityInterface;
import io.temporal.activity.ActivityOptions;
import io.temporal.activity.LocalActivityOptions;
import io.temporal.api.history.v1.HistoryEvent;
import io.temporal.client.WorkflowClient;
import io.temporal.client.WorkflowNotFoundException;
import io.temporal.client.WorkflowOptions;
import io.temporal.client.WorkflowStub;
import io.temporal.serviceclient.WorkflowServiceStubs;
import io.temporal.serviceclient.WorkflowServiceStubsOptions;
import io.temporal.worker.Worker;
import io.temporal.worker.WorkerFactory;
import io.temporal.worker.WorkerFactoryOptions;
import io.temporal.workflow.Async;
import io.temporal.workflow.ChildWorkflowOptions;
import io.temporal.workflow.Promise;
import io.temporal.workflow.SignalMethod;
import io.temporal.workflow.Workflow;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What one run may have much of: events, children, signals, and megabytes in one workflow task. */
@Timeout(60)
class LargeTest {
  static final String QUEUE = "java-large";
  static final int MEGABYTE = 1 << 20;
  static Server server;
  static WorkflowServiceStubs service;
  static WorkflowClient client;
  static WorkerFactory factory;

  @ActivityInterface
  public interface Acts {
    int add(int n);

    byte[] bulk(byte[] b);

    /** Ends when the test says so. */
    void untilSignalled();

    /** Ends when every long run has come so far. */
    void meet();
  }

  public static final class ActsImpl implements Acts {
    static final CountDownLatch BEGAN = new CountDownLatch(1);
    static final CountDownLatch END = new CountDownLatch(1);
    static final CyclicBarrier ALL = new CyclicBarrier(LONG_RUNS);

    @Override
    public int add(int n) {
      return n;
    }

    @Override
    public byte[] bulk(byte[] b) {
      return b;
    }

    @Override
    public void untilSignalled() {
      BEGAN.countDown();
      try {
        if (!END.await(50, TimeUnit.SECONDS)) throw new IllegalStateException("nobody let it end");
      } catch (InterruptedException e) {
        throw Activity.wrap(e);
      }
    }

    @Override
    public void meet() {
      try {
        ALL.await(50, TimeUnit.SECONDS);
      } catch (Exception e) {
        throw Activity.wrap(e);
      }
    }
  }

  static Acts acts() {
    return Workflow.newActivityStub(
        Acts.class, ActivityOptions.newBuilder().setStartToCloseTimeout(Duration.ofMinutes(1)).build());
  }

  /** Keeps its workflow task for a while, so that what arrives meanwhile is buffered. */
  @WorkflowInterface
  public interface Lingering {
    @WorkflowMethod
    String linger();

    @SignalMethod
    void say(String text);
  }

  public static final class LingeringImpl implements Lingering {
    private final List<String> said = new ArrayList<>();

    @Override
    public String linger() {
      Workflow.newLocalActivityStub(
              Acts.class, LocalActivityOptions.newBuilder().setStartToCloseTimeout(Duration.ofMinutes(1)).build())
          .untilSignalled();
      Workflow.await(() -> said.size() >= 3);
      return String.join(" ", said);
    }

    @Override
    public void say(String text) {
      said.add(text);
    }
  }

  /** Takes notes, and asks an activity and a timer to come back, again and again. */
  @WorkflowInterface
  public interface Diligent {
    @WorkflowMethod
    int work(int rounds);
  }

  static final int LONG_RUNS = 3;

  public static final class DiligentImpl implements Diligent {
    static final AtomicInteger BEGUN = new AtomicInteger();

    @Override
    public int work(int rounds) {
      BEGUN.incrementAndGet();
      int total = 0;
      for (int n = 0; n < rounds; n++) {
        int sum = 0;
        for (int note = 0; note < 10; note++) sum += Workflow.sideEffect(Integer.class, () -> 1);
        if (n % 10 == 0) Workflow.sleep(Duration.ofMillis(1));
        if (n == rounds - 2) acts().meet();
        total += acts().add(sum);
      }
      return total;
    }
  }

  /** Starts its children all at once and counts what they answer. */
  @WorkflowInterface
  public interface Parent {
    @WorkflowMethod
    int raise(int children);
  }

  public static final class ParentImpl implements Parent {
    @Override
    public int raise(int children) {
      List<Promise<Integer>> running = new ArrayList<>();
      for (int n = 0; n < children; n++) {
        var options = ChildWorkflowOptions.newBuilder().setWorkflowId(Workflow.getInfo().getWorkflowId() + "-" + n);
        running.add(Async.function(Workflow.newChildWorkflowStub(One.class, options.build())::same, 1));
      }
      int sum = 0;
      for (Promise<Integer> child : running) sum += child.get();
      return sum;
    }
  }

  @WorkflowInterface
  public interface One {
    @WorkflowMethod
    int same(int n);
  }

  public static final class OneImpl implements One {
    @Override
    public int same(int n) {
      return n;
    }
  }

  /** Takes signals until it has so many. */
  @WorkflowInterface
  public interface Tally {
    @WorkflowMethod
    int tally(int signals);

    @SignalMethod
    void add(int n);
  }

  public static final class TallyImpl implements Tally {
    private int sum;
    private int seen;

    @Override
    public int tally(int signals) {
      Workflow.await(() -> seen >= signals);
      return sum;
    }

    @Override
    public void add(int n) {
      seen++;
      sum += n;
    }
  }

  /** Gives activities a megabyte and a half each, all in one workflow task, and has it back. */
  @WorkflowInterface
  public interface Spender {
    @WorkflowMethod
    int spend(int activities);
  }

  public static final class SpenderImpl implements Spender {
    @Override
    public int spend(int activities) {
      List<Promise<byte[]>> running = new ArrayList<>();
      for (int n = 0; n < activities; n++) {
        byte[] much = new byte[MEGABYTE * 3 / 2];
        Arrays.fill(much, (byte) ('a' + n));
        running.add(Async.function(acts()::bulk, much));
      }
      int total = 0;
      for (int n = 0; n < activities; n++) {
        for (byte b : running.get(n).get()) total += b == 'a' + n ? 1 : 0;
      }
      return total;
    }
  }

  @BeforeAll
  static void begin() throws Exception {
    server = new Server();
    service =
        WorkflowServiceStubs.newServiceStubs(
            WorkflowServiceStubsOptions.newBuilder().setTarget(server.address).build());
    client = WorkflowClient.newInstance(service);
    factory = work(QUEUE, WorkerFactoryOptions.getDefaultInstance());
  }

  @AfterAll
  static void end() throws Exception {
    if (factory != null) factory.shutdownNow();
    if (service != null) service.shutdownNow();
    if (server != null) server.close();
  }

  static WorkerFactory work(String queue, WorkerFactoryOptions options) {
    WorkerFactory factory = WorkerFactory.newInstance(client, options);
    Worker worker = factory.newWorker(queue);
    worker.registerWorkflowImplementationTypes(
        LingeringImpl.class, DiligentImpl.class, ParentImpl.class, OneImpl.class, TallyImpl.class, SpenderImpl.class);
    worker.registerActivitiesImplementations(new ActsImpl());
    factory.start();
    return factory;
  }

  static WorkflowStub start(String type, String queue, Object... arguments) {
    var options =
        WorkflowOptions.newBuilder()
            .setTaskQueue(queue)
            .setWorkflowId(type + "-" + UUID.randomUUID())
            .setWorkflowTaskTimeout(Duration.ofMinutes(1)); // no second workflow task while a local activity runs
    WorkflowStub stub = client.newUntypedWorkflowStub(type, options.build());
    stub.start(arguments);
    return stub;
  }

  static List<HistoryEvent> events(WorkflowStub stub) {
    return client.fetchHistory(stub.getExecution().getWorkflowId()).getEvents();
  }

  @Test
  void bufferedSignals() throws Exception {
    WorkflowStub stub = start("Lingering", QUEUE);
    assertTrue(ActsImpl.BEGAN.await(50, TimeUnit.SECONDS));
    for (String text : List.of("one", "two", "three")) stub.signal("say", text);
    for (HistoryEvent e : events(stub)) {
      assertFalse(e.hasWorkflowExecutionSignaledEventAttributes(), "a buffered signal is in history already");
    }
    ActsImpl.END.countDown();
    assertEquals("one two three", stub.getResult(String.class));
  }

  /** More long runs than the worker caches: each that it has put away is replayed from its beginning. */
  @Test
  void longHistoriesWithHardlyACache() {
    int rounds = 25;
    var options = WorkerFactoryOptions.newBuilder().setWorkflowCacheSize(1).build();
    WorkerFactory forgetful = work(QUEUE + "-forgetful", options);
    try {
      List<WorkflowStub> runs = new ArrayList<>();
      for (int n = 0; n < LONG_RUNS; n++) runs.add(start("Diligent", QUEUE + "-forgetful", rounds));
      for (WorkflowStub run : runs) {
        assertEquals(10 * rounds, run.getResult(Integer.class));
        List<HistoryEvent> events = events(run);
        assertTrue(events.size() > 16 * rounds, events.size() + " events");
        for (HistoryEvent e : events) assertFalse(e.hasWorkflowTaskFailedEventAttributes(), e.toString());
      }
      assertTrue(DiligentImpl.BEGUN.get() > LONG_RUNS, "nothing was replayed");
    } finally {
      forgetful.shutdownNow();
    }
  }

  @Test
  void twoHundredChildren() {
    assertEquals(200, start("Parent", QUEUE, 200).getResult(Integer.class));
  }

  @Test
  void twoThousandSignals() throws Exception {
    int signals = 2_000;
    int senders = 16;
    WorkflowStub stub = start("Tally", QUEUE, signals);
    var threads = Executors.newFixedThreadPool(senders);
    try {
      List<Future<?>> sent = new ArrayList<>();
      for (int n = 1; n <= signals; n++) {
        int number = n;
        sent.add(threads.submit(() -> stub.signal("add", number)));
      }
      for (Future<?> one : sent) one.get();
    } finally {
      threads.shutdownNow();
    }
    assertEquals(signals * (signals + 1) / 2, stub.getResult(Integer.class));
    assertEquals(signals, events(stub).stream().filter(HistoryEvent::hasWorkflowExecutionSignaledEventAttributes).count());
    assertThrows(WorkflowNotFoundException.class, () -> stub.signal("add", 1));
  }

  @Test
  void megabytesInOneWorkflowTask() {
    WorkflowStub stub = start("Spender", QUEUE, 4);
    assertEquals(6 * MEGABYTE, stub.getResult(Integer.class));
    var completions =
        events(stub).stream()
            .filter(HistoryEvent::hasActivityTaskScheduledEventAttributes)
            .map(e -> e.getActivityTaskScheduledEventAttributes().getWorkflowTaskCompletedEventId())
            .toList();
    assertEquals(4, completions.size());
    assertEquals(1, completions.stream().distinct().count(), "all in one workflow task");
  }
}
