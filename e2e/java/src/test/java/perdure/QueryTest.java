package perdure;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.grpc.StatusRuntimeException;
import io.temporal.api.common.v1.WorkflowExecution;
import io.temporal.api.enums.v1.QueryRejectCondition;
import io.temporal.api.enums.v1.WorkflowExecutionStatus;
import io.temporal.api.query.v1.WorkflowQuery;
import io.temporal.api.workflowservice.v1.PauseWorkflowExecutionRequest;
import io.temporal.api.workflowservice.v1.QueryWorkflowRequest;
import io.temporal.api.workflowservice.v1.UnpauseWorkflowExecutionRequest;
import io.temporal.client.WorkflowClient;
import io.temporal.client.WorkflowClientOptions;
import io.temporal.client.WorkflowOptions;
import io.temporal.client.WorkflowQueryConditionallyRejectedException;
import io.temporal.client.WorkflowStub;
import io.temporal.serviceclient.WorkflowServiceStubs;
import io.temporal.serviceclient.WorkflowServiceStubsOptions;
import io.temporal.worker.WorkerFactory;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Queries in the states that a run can be in, as the official Java SDK shows them. */
@Timeout(60)
class QueryTest {
  static final String QUEUE = "java-queries";
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
    factory = work(QUEUE);
  }

  @AfterAll
  static void end() throws Exception {
    if (factory != null) factory.shutdownNow();
    if (service != null) service.shutdownNow();
    if (server != null) server.close();
  }

  static WorkerFactory work(String queue) {
    WorkerFactory f = WorkerFactory.newInstance(client);
    f.newWorker(queue).registerWorkflowImplementationTypes(Definitions.Workflows.class);
    f.start();
    return f;
  }

  static WorkflowStub start(String queue, Duration delay) {
    var options = WorkflowOptions.newBuilder().setTaskQueue(queue).setWorkflowId("query-" + UUID.randomUUID());
    if (delay != null) options.setStartDelay(delay);
    WorkflowStub stub = client.newUntypedWorkflowStub("Case", options.build());
    stub.start("waiting", "");
    return stub;
  }

  static String state(WorkflowStub stub) {
    return stub.query("state", String.class);
  }

  /** The same run, asked by a client that wants no answer in some states. */
  static WorkflowStub careful(WorkflowStub stub, String condition) {
    var options =
        WorkflowClientOptions.newBuilder()
            .setQueryRejectCondition(QueryRejectCondition.valueOf("QUERY_REJECT_CONDITION_" + condition))
            .build();
    return WorkflowClient.newInstance(service, options)
        .newUntypedWorkflowStub(stub.getExecution().getWorkflowId());
  }

  static void rejected(WorkflowExecutionStatus status, WorkflowStub stub) {
    var e = assertThrows(WorkflowQueryConditionallyRejectedException.class, () -> state(stub));
    assertEquals(status, e.getWorkflowExecutionStatus());
  }

  /** Asks over the raw service, whose deadline is the caller's. */
  static String refusal(WorkflowStub stub, int seconds) {
    var request =
        QueryWorkflowRequest.newBuilder()
            .setNamespace("default")
            .setExecution(WorkflowExecution.newBuilder().setWorkflowId(stub.getExecution().getWorkflowId()))
            .setQuery(WorkflowQuery.newBuilder().setQueryType("state"))
            .build();
    var e =
        assertThrows(
            StatusRuntimeException.class,
            () -> service.blockingStub().withDeadlineAfter(seconds, TimeUnit.SECONDS).queryWorkflow(request));
    return Optional.ofNullable(e.getStatus().getDescription()).orElse("");
  }

  @Test
  void openAndCompleted() {
    WorkflowStub stub = start(QUEUE, null);
    assertEquals("waiting", state(careful(stub, "NOT_OPEN")));
    stub.signal("go", "end");
    assertEquals("end", stub.getResult(String.class));
    assertEquals("end", state(stub));
    assertEquals("end", state(careful(stub, "NOT_COMPLETED_CLEANLY")));
    rejected(WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED, careful(stub, "NOT_OPEN"));
  }

  /** This SDK does not replay a termination; the server leaves it out of what a query is answered from. */
  @Test
  void terminated() {
    WorkflowStub stub = start(QUEUE, null);
    assertEquals("waiting", state(stub));
    stub.terminate("enough");
    assertEquals("waiting", state(stub));
    rejected(WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TERMINATED, careful(stub, "NOT_COMPLETED_CLEANLY"));
  }

  /** No worker has heard of the signal when the run is terminated. */
  @Test
  void terminatedWithAWorkflowTaskWaiting() {
    String queue = "absent-" + UUID.randomUUID();
    WorkerFactory first = work(queue);
    WorkflowStub stub = start(queue, null);
    assertEquals("waiting", state(stub));
    first.shutdownNow();
    first.awaitTermination(10, TimeUnit.SECONDS);
    stub.signal("go", "end");
    stub.terminate("enough");
    WorkerFactory second = work(queue);
    try {
      assertTrue(List.of("waiting", "end").contains(state(stub)));
    } finally {
      second.shutdownNow();
    }
  }

  @Test
  void paused() {
    WorkflowStub stub = start(QUEUE, null);
    assertEquals("waiting", state(stub));
    String id = stub.getExecution().getWorkflowId();
    service
        .blockingStub()
        .pauseWorkflowExecution(
            PauseWorkflowExecutionRequest.newBuilder().setNamespace("default").setWorkflowId(id).build());
    rejected(WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED, stub);
    stub.signal("go", "after the pause");
    service
        .blockingStub()
        .unpauseWorkflowExecution(
            UnpauseWorkflowExecutionRequest.newBuilder().setNamespace("default").setWorkflowId(id).build());
    assertEquals("after the pause", stub.getResult(String.class));
  }

  @Test
  void beforeTheFirstWorkflowTask() {
    WorkflowStub stub = start(QUEUE, Duration.ofHours(1));
    assertEquals("Workflow task is not scheduled yet.", refusal(stub, 3));
    stub.terminate("enough");
    assertEquals("Workflow execution closed before WorkflowTaskStarted event", refusal(stub, 3));
  }

  @Test
  void waitsForAWorker() {
    String queue = "nobody-" + UUID.randomUUID();
    WorkflowStub stub = start(queue, null);
    refusal(stub, 1);
    WorkerFactory late = work(queue);
    try {
      assertEquals("waiting", state(stub));
    } finally {
      late.shutdownNow();
    }
    stub.terminate("enough");
  }
}
