package perdure;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;

import io.temporal.activity.ActivityCancellationType;
import io.temporal.activity.ActivityOptions;
import io.temporal.api.common.v1.WorkflowExecution;
import io.temporal.api.enums.v1.PendingActivityState;
import io.temporal.api.workflow.v1.PendingActivityInfo;
import io.temporal.api.workflowservice.v1.DescribeWorkflowExecutionRequest;
import io.temporal.api.workflowservice.v1.PauseActivityRequest;
import io.temporal.api.workflowservice.v1.ResetActivityRequest;
import io.temporal.api.workflowservice.v1.UnpauseActivityRequest;
import io.temporal.client.WorkflowClient;
import io.temporal.client.WorkflowOptions;
import io.temporal.client.WorkflowStub;
import io.temporal.common.RetryOptions;
import io.temporal.failure.CanceledFailure;
import io.temporal.serviceclient.WorkflowServiceStubs;
import io.temporal.serviceclient.WorkflowServiceStubsOptions;
import io.temporal.worker.Worker;
import io.temporal.worker.WorkerFactory;
import io.temporal.worker.WorkerOptions;
import io.temporal.workflow.Workflow;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What operators and a closing workflow do to an activity, as the Java SDK shows it. */
@Timeout(60)
class OperatorTest {
  static final String QUEUE = "java-operator";
  static Server server;
  static WorkflowServiceStubs service;
  static WorkflowClient client;
  static WorkerFactory factory;

  @WorkflowInterface
  public interface Listening {
    @WorkflowMethod
    String listen(boolean accept, ActivityCancellationType type);
  }

  public static final class ListeningImpl implements Listening {
    @Override
    public String listen(boolean accept, ActivityCancellationType type) {
      return Workflow.newActivityStub(
              Alone.class,
              ActivityOptions.newBuilder()
                  .setStartToCloseTimeout(Duration.ofMinutes(1))
                  .setHeartbeatTimeout(Duration.ofSeconds(20))
                  .setCancellationType(type)
                  .setRetryOptions(RetryOptions.newBuilder().setInitialInterval(Duration.ofMillis(20)).build())
                  .build())
          .beat(accept);
    }
  }

  @BeforeAll
  static void begin() throws Exception {
    server = new Server();
    service =
        WorkflowServiceStubs.newServiceStubs(
            WorkflowServiceStubsOptions.newBuilder().setTarget(server.address).build());
    client = WorkflowClient.newInstance(service);
    factory = WorkerFactory.newInstance(client);
    Worker worker =
        factory.newWorker(
            QUEUE, WorkerOptions.newBuilder().setMaxHeartbeatThrottleInterval(Duration.ofMillis(50)).build());
    worker.registerWorkflowImplementationTypes(ListeningImpl.class);
    worker.registerActivitiesImplementations(new Alone.Impl());
    factory.start();
  }

  @AfterAll
  static void end() throws Exception {
    if (factory != null) factory.shutdownNow();
    if (service != null) service.shutdownNow();
    if (server != null) server.close();
  }

  /** Starts a workflow and waits until its activity has reported. */
  static WorkflowStub beating(boolean accept, ActivityCancellationType type) throws Exception {
    WorkflowStub stub =
        client.newUntypedWorkflowStub(
            "Listening",
            WorkflowOptions.newBuilder().setTaskQueue(QUEUE).setWorkflowId("w-" + UUID.randomUUID()).build());
    stub.start(accept, type);
    pending(stub, PendingActivityInfo::hasLastHeartbeatTime);
    return stub;
  }

  static PendingActivityInfo pending(WorkflowStub stub, Predicate<PendingActivityInfo> wanted) throws Exception {
    var request =
        DescribeWorkflowExecutionRequest.newBuilder().setNamespace("default").setExecution(stub.getExecution()).build();
    while (true) {
      for (var a : service.blockingStub().describeWorkflowExecution(request).getPendingActivitiesList()) {
        if (wanted.test(a)) return a;
      }
      TimeUnit.MILLISECONDS.sleep(50);
    }
  }

  static WorkflowExecution execution(WorkflowStub stub) {
    return stub.getExecution();
  }

  static long requests(WorkflowStub stub) {
    return client.fetchHistory(stub.getExecution().getWorkflowId()).getEvents().stream()
        .filter(e -> e.hasActivityTaskCancelRequestedEventAttributes())
        .count();
  }

  @Test
  void anOperatorPausesAnActivity() throws Exception {
    var stub = beating(true, ActivityCancellationType.TRY_CANCEL);
    service
        .blockingStub()
        .pauseActivity(
            PauseActivityRequest.newBuilder()
                .setNamespace("default").setExecution(execution(stub)).setType("Beat").setReason("maintenance").build());
    var a = pending(stub, p -> p.getState() == PendingActivityState.PENDING_ACTIVITY_STATE_PAUSED);
    assertEquals("maintenance", a.getPauseInfo().getManual().getReason());
    assertEquals(2, a.getAttempt());
    service
        .blockingStub()
        .unpauseActivity(
            UnpauseActivityRequest.newBuilder()
                .setNamespace("default").setExecution(execution(stub)).setUnpauseAll(true).build());
    assertEquals("attempt 2 after ActivityPausedException", stub.getResult(String.class));
  }

  @Test
  void anOperatorResetsAnActivity() throws Exception {
    var stub = beating(true, ActivityCancellationType.TRY_CANCEL);
    service
        .blockingStub()
        .resetActivity(
            ResetActivityRequest.newBuilder()
                .setNamespace("default").setExecution(execution(stub)).setType("Beat").build());
    assertEquals("attempt 2 after ActivityResetException", stub.getResult(String.class));
  }

  @Test
  void closedWorkflowIsNotFound() throws Exception {
    var stub = beating(true, ActivityCancellationType.TRY_CANCEL);
    String id = stub.getExecution().getWorkflowId();
    stub.terminate("enough");
    while (!Alone.Impl.TOLD.containsKey(id)) TimeUnit.MILLISECONDS.sleep(50);
    assertEquals("ActivityNotExistsException", Alone.Impl.TOLD.get(id));
  }

  @Test
  void cancellingTwiceIsOneRequest() throws Exception {
    var stub = beating(true, ActivityCancellationType.WAIT_CANCELLATION_COMPLETED);
    stub.cancel();
    stub.cancel();
    assertInstanceOf(CanceledFailure.class, SuiteTest.failure(stub));
    assertEquals(1, requests(stub));
    assertEquals("ActivityCanceledException", Alone.Impl.TOLD.get(stub.getExecution().getWorkflowId()));
  }

  @Test
  void abandonRequestsNothing() throws Exception {
    var stub = beating(true, ActivityCancellationType.ABANDON);
    stub.cancel();
    assertInstanceOf(CanceledFailure.class, SuiteTest.failure(stub));
    assertEquals(0, requests(stub));
  }
}
