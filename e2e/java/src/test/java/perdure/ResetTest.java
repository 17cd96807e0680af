package perdure;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.temporal.api.common.v1.WorkflowExecution;
import io.temporal.api.enums.v1.ResetReapplyExcludeType;
import io.temporal.api.enums.v1.WorkflowExecutionStatus;
import io.temporal.api.history.v1.HistoryEvent;
import io.temporal.api.workflowservice.v1.DescribeWorkflowExecutionRequest;
import io.temporal.api.workflowservice.v1.ResetWorkflowExecutionRequest;
import io.temporal.client.UpdateOptions;
import io.temporal.client.WorkflowClient;
import io.temporal.client.WorkflowOptions;
import io.temporal.client.WorkflowStub;
import io.temporal.client.WorkflowUpdateStage;
import io.temporal.serviceclient.WorkflowServiceStubs;
import io.temporal.serviceclient.WorkflowServiceStubsOptions;
import io.temporal.worker.Worker;
import io.temporal.worker.WorkerFactory;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Resets, as the official Java SDK takes them. It has no call for them: the raw service is used. */
@Timeout(60)
class ResetTest {
  static final String QUEUE = "java-resets";
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
    factory = WorkerFactory.newInstance(client);
    Worker worker = factory.newWorker(QUEUE);
    worker.registerWorkflowImplementationTypes(Counter.Impl.class);
    worker.registerActivitiesImplementations(new Definitions.ActsImpl());
    factory.start();
  }

  @AfterAll
  static void end() throws Exception {
    if (factory != null) factory.shutdownNow();
    if (service != null) service.shutdownNow();
    if (server != null) server.close();
  }

  static int add(WorkflowStub stub, String updateId, int n) {
    var options =
        UpdateOptions.newBuilder(Integer.class)
            .setUpdateName("add")
            .setUpdateId(updateId)
            .setWaitForStage(WorkflowUpdateStage.COMPLETED)
            .build();
    return stub.startUpdate(options, n).getResult();
  }

  static long firstCompletion(String id) throws InterruptedException {
    while (true) {
      for (HistoryEvent e : client.fetchHistory(id).getEvents()) {
        if (e.hasWorkflowTaskCompletedEventAttributes()) return e.getEventId();
      }
      Thread.sleep(20);
    }
  }

  static WorkflowStub reset(WorkflowExecution base, long at, ResetReapplyExcludeType... exclude) {
    var request =
        ResetWorkflowExecutionRequest.newBuilder()
            .setNamespace("default")
            .setWorkflowExecution(base)
            .setReason("for the test")
            .setRequestId(UUID.randomUUID().toString())
            .setWorkflowTaskFinishEventId(at);
    for (var type : exclude) request.addResetReapplyExcludeTypes(type);
    var made = service.blockingStub().resetWorkflowExecution(request.build());
    return client.newUntypedWorkflowStub(base.getWorkflowId(), Optional.of(made.getRunId()), Optional.empty());
  }

  @Test
  void updatesAndSignalsComeAgain() throws Exception {
    WorkflowStub stub =
        client.newUntypedWorkflowStub(
            "Counter", WorkflowOptions.newBuilder().setTaskQueue(QUEUE).setWorkflowId("reset-" + UUID.randomUUID()).build());
    WorkflowExecution base = stub.start();
    long at = firstCompletion(base.getWorkflowId());
    assertEquals(3, add(stub, "u1", 3));
    WorkflowStub made = reset(base, at);
    assertEquals(3, add(made, "u1", 3)); // joins what was applied again
    assertEquals(7, add(made, "u2", 4));
    made.signal("end");
    assertEquals(7, made.getResult(Integer.class));

    // Once more, from the run that the first reset has ended, and without its updates.
    WorkflowStub without = reset(base, at, ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE);
    assertEquals(5, add(without, "u3", 5));
    without.signal("end");
    assertEquals(5, without.getResult(Integer.class));

    var described =
        service
            .blockingStub()
            .describeWorkflowExecution(
                DescribeWorkflowExecutionRequest.newBuilder().setNamespace("default").setExecution(base).build());
    assertEquals(
        WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TERMINATED, described.getWorkflowExecutionInfo().getStatus());
    assertTrue(described.getWorkflowExtendedInfo().getResetRunId().length() > 0);
  }
}
