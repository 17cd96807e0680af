package perdure;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.temporal.api.common.v1.WorkflowExecution;
import io.temporal.api.enums.v1.RetryState;
import io.temporal.api.enums.v1.TimeoutType;
import io.temporal.api.workflowservice.v1.DescribeWorkflowExecutionRequest;
import io.temporal.client.WorkflowClient;
import io.temporal.client.WorkflowExecutionAlreadyStarted;
import io.temporal.client.WorkflowFailedException;
import io.temporal.client.WorkflowNotFoundException;
import io.temporal.client.WorkflowOptions;
import io.temporal.client.WorkflowQueryException;
import io.temporal.client.WorkflowStub;
import io.temporal.failure.ActivityFailure;
import io.temporal.failure.ApplicationFailure;
import io.temporal.failure.CanceledFailure;
import io.temporal.failure.ChildWorkflowFailure;
import io.temporal.failure.TerminatedFailure;
import io.temporal.failure.TimeoutFailure;
import io.temporal.serviceclient.WorkflowServiceStubs;
import io.temporal.serviceclient.WorkflowServiceStubsOptions;
import io.temporal.worker.Worker;
import io.temporal.worker.WorkerFactory;
import io.temporal.worker.WorkerOptions;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The official Java SDK, unmodified, against the real binary. */
@Timeout(60)
class SuiteTest {
  static final String QUEUE = "java";
  static Server server;
  static WorkflowServiceStubs service;
  static WorkflowClient client;
  static WorkerFactory factory;

  @BeforeAll
  static void begin() throws Exception {
    server = new Server();
    service =
        WorkflowServiceStubs.newServiceStubs(
            WorkflowServiceStubsOptions.newBuilder().setTarget(server.address).build());
    client = WorkflowClient.newInstance(service);
    factory = work(client, QUEUE);
  }

  @AfterAll
  static void end() throws Exception {
    if (factory != null) factory.shutdownNow();
    if (service != null) service.shutdownNow();
    if (server != null) server.close();
  }

  static WorkerFactory work(WorkflowClient client, String queue) {
    WorkerFactory factory = WorkerFactory.newInstance(client);
    Worker worker =
        factory.newWorker(
            queue,
            WorkerOptions.newBuilder().setMaxHeartbeatThrottleInterval(Duration.ofMillis(50)).build());
    worker.registerWorkflowImplementationTypes(Definitions.Workflows.class, Definitions.ChildImpl.class);
    worker.registerActivitiesImplementations(new Definitions.ActsImpl());
    factory.start();
    return factory;
  }

  static WorkflowStub stub(String name, String queue) {
    return client.newUntypedWorkflowStub(
        "Case",
        WorkflowOptions.newBuilder().setTaskQueue(queue).setWorkflowId(name + "-" + UUID.randomUUID()).build());
  }

  static WorkflowStub start(String name, String argument) {
    WorkflowStub stub = stub(name, QUEUE);
    stub.start(name, argument);
    return stub;
  }

  static String run(String name, String argument) {
    return start(name, argument).getResult(String.class);
  }

  static Throwable failure(WorkflowStub stub) {
    return assertThrows(WorkflowFailedException.class, () -> stub.getResult(String.class)).getCause();
  }

  @Test
  void hello() {
    assertEquals("Hello, world!", run("hello", "world"));
  }

  @Test
  void retriesToSuccess() {
    assertEquals("3", run("retried", "5"));
  }

  @Test
  void exhaustsItsRetries() {
    var err = assertInstanceOf(ActivityFailure.class, failure(start("retried", "2")));
    assertEquals(RetryState.RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED, err.getRetryState());
    assertEquals("attempt 2", ((ApplicationFailure) err.getCause()).getOriginalMessage());
  }

  @Test
  void nonRetryableFailure() {
    var err = assertInstanceOf(ActivityFailure.class, failure(start("nonRetryable", "")));
    assertEquals(RetryState.RETRY_STATE_NON_RETRYABLE_FAILURE, err.getRetryState());
    var cause = assertInstanceOf(ApplicationFailure.class, err.getCause());
    assertEquals("Never", cause.getType());
    assertEquals("detail", cause.getDetails().get(String.class));
  }

  @Test
  void chainOfCauses() {
    var outer = (ApplicationFailure) failure(start("causeChain", "")).getCause();
    assertEquals("Outer", outer.getType());
    assertEquals("inner", ((ApplicationFailure) outer.getCause()).getOriginalMessage());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "TIMEOUT_TYPE_SCHEDULE_TO_START",
        "TIMEOUT_TYPE_SCHEDULE_TO_CLOSE",
        "TIMEOUT_TYPE_START_TO_CLOSE",
        "TIMEOUT_TYPE_HEARTBEAT"
      })
  void timesOut(String kind) {
    var err = assertInstanceOf(ActivityFailure.class, failure(start("timedOut", kind)));
    var timeout = assertInstanceOf(TimeoutFailure.class, err.getCause());
    assertEquals(TimeoutType.valueOf(kind), timeout.getTimeoutType());
  }

  @Test
  void heartbeatDetailsSurviveARetry() {
    assertEquals("got this far", run("heartbeatDetails", ""));
  }

  static void untilHeartbeat(WorkflowStub stub) throws InterruptedException {
    var request =
        DescribeWorkflowExecutionRequest.newBuilder().setNamespace("default").setExecution(stub.getExecution()).build();
    while (service.blockingStub().describeWorkflowExecution(request).getPendingActivitiesList().stream()
        .noneMatch(a -> a.hasLastHeartbeatTime())) {
      TimeUnit.MILLISECONDS.sleep(50);
    }
  }

  static String onlyActivityResult(WorkflowStub stub) {
    return client.fetchHistory(stub.getExecution().getWorkflowId()).getEvents().stream()
        .filter(e -> e.hasActivityTaskCompletedEventAttributes())
        .map(e -> e.getActivityTaskCompletedEventAttributes().getResult().getPayloads(0).getData().toStringUtf8())
        .findFirst()
        .orElse("no activity completed");
  }

  @Test
  void cancellationAccepted() throws Exception {
    WorkflowStub stub = start("cancelled", "accept");
    untilHeartbeat(stub);
    stub.cancel();
    assertInstanceOf(CanceledFailure.class, failure(stub));
  }

  @Test
  void cancellationIgnored() throws Exception {
    WorkflowStub stub = start("cancelled", "ignore");
    untilHeartbeat(stub);
    stub.cancel();
    // This SDK ends a workflow as canceled once that was asked for, whatever it
    // returns; what the activity did is in the history.
    assertInstanceOf(CanceledFailure.class, failure(stub));
    assertEquals("\"finished anyway\"", onlyActivityResult(stub));
  }

  @Test
  void localActivity() {
    assertEquals("Hello, here!", run("local", "here"));
  }

  @Test
  void timer() {
    assertTrue(Long.parseLong(run("napping", "")) >= 700);
  }

  @Test
  void signalAndQuery() {
    WorkflowStub stub = start("waiting", "");
    assertEquals("waiting", stub.query("state", String.class));
    assertThrows(WorkflowQueryException.class, () -> stub.query("no such query", String.class));
    stub.signal("go", "now");
    assertEquals("now", stub.getResult(String.class));
    assertEquals("now", stub.query("state", String.class));
  }

  @Test
  void signalWithStart() {
    WorkflowStub stub = stub("waiting", QUEUE);
    stub.signalWithStart("go", new Object[] {"both"}, new Object[] {"waiting", ""});
    assertEquals("both", stub.getResult(String.class));
  }

  @Test
  void child() {
    WorkflowStub stub = start("parent", "");
    assertEquals(stub.getExecution().getWorkflowId(), stub.getResult(String.class));
    var err = assertInstanceOf(ChildWorkflowFailure.class, failure(start("parent", "fail")));
    assertEquals("Fell", ((ApplicationFailure) err.getCause()).getType());
  }

  @Test
  void continueAsNew() {
    WorkflowStub stub = start("countdown", "3");
    String first = stub.getExecution().getRunId();
    assertEquals(first, stub.getResult(String.class));
  }

  @Test
  void cancel() {
    WorkflowStub stub = start("forever", "");
    stub.cancel();
    assertInstanceOf(CanceledFailure.class, failure(stub));
  }

  @Test
  void shieldedCleanUp() {
    WorkflowStub stub = start("shielded", "");
    stub.cancel();
    assertInstanceOf(CanceledFailure.class, failure(stub));
    assertEquals("\"Hello, clean-up!\"", onlyActivityResult(stub));
  }

  @Test
  void terminate() {
    WorkflowStub stub = start("forever", "");
    stub.terminate("enough");
    assertInstanceOf(TerminatedFailure.class, failure(stub));
    assertThrows(WorkflowNotFoundException.class, () -> stub.terminate("again"));
  }

  @Test
  void alreadyStarted() {
    WorkflowStub stub = start("forever", "");
    WorkflowStub again =
        client.newUntypedWorkflowStub(
            "Case",
            WorkflowOptions.newBuilder()
                .setTaskQueue(QUEUE)
                .setWorkflowId(stub.getExecution().getWorkflowId())
                .build());
    assertThrows(WorkflowExecutionAlreadyStarted.class, () -> again.start("forever", ""));
    stub.terminate("done");
  }

  @Test
  void list() {
    WorkflowStub stub = start("hello", "listed");
    stub.getResult(String.class);
    WorkflowExecution execution = stub.getExecution();
    var found = client.listExecutions("WorkflowId = '" + execution.getWorkflowId() + "'").toList();
    assertEquals(1, found.size());
    assertEquals(execution.getRunId(), found.get(0).getExecution().getRunId());
  }

  @Test
  void aWorkerIsReplacedInTheMiddle() throws Exception {
    String queue = "java-" + UUID.randomUUID();
    WorkerFactory first = work(client, queue);
    WorkflowStub stub = stub("interrupted", queue);
    stub.start("interrupted", "");
    String id = stub.getExecution().getWorkflowId();
    while (client.fetchHistory(id).getEvents().stream()
            .filter(e -> e.hasWorkflowTaskCompletedEventAttributes())
            .count()
        < 2) {
      TimeUnit.MILLISECONDS.sleep(50);
    }
    first.shutdownNow();
    first.awaitTermination(10, TimeUnit.SECONDS);
    stub.signal("go", "x");
    WorkerFactory second = work(client, queue);
    assertEquals("Hello, before!Hello, after!", stub.getResult(String.class));
    second.shutdownNow();
  }
}
