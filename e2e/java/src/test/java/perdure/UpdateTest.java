package perdure;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.temporal.api.enums.v1.WorkflowIdConflictPolicy;
import io.temporal.client.UpdateOptions;
import io.temporal.client.WithStartWorkflowOperation;
import io.temporal.client.WorkflowClient;
import io.temporal.client.WorkflowNotFoundException;
import io.temporal.client.WorkflowOptions;
import io.temporal.client.WorkflowServiceException;
import io.temporal.client.WorkflowStub;
import io.temporal.client.WorkflowUpdateException;
import io.temporal.client.WorkflowUpdateHandle;
import io.temporal.client.WorkflowUpdateStage;
import io.temporal.failure.ApplicationFailure;
import io.temporal.serviceclient.WorkflowServiceStubs;
import io.temporal.serviceclient.WorkflowServiceStubsOptions;
import io.temporal.worker.Worker;
import io.temporal.worker.WorkerFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Updates with the official Java SDK, unmodified, against the real binary. */
@Timeout(60)
class UpdateTest {
  static final String QUEUE = "java-updates";
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
    factory = work(QUEUE, true);
  }

  @AfterAll
  static void end() throws Exception {
    if (factory != null) factory.shutdownNow();
    if (service != null) service.shutdownNow();
    if (server != null) server.close();
  }

  static WorkerFactory work(String queue, boolean activities) {
    WorkerFactory factory = WorkerFactory.newInstance(client);
    Worker worker = factory.newWorker(queue);
    worker.registerWorkflowImplementationTypes(Counter.Impl.class);
    if (activities) worker.registerActivitiesImplementations(new Definitions.ActsImpl());
    factory.start();
    return factory;
  }

  static WorkflowOptions.Builder options(String queue) {
    return WorkflowOptions.newBuilder().setTaskQueue(queue).setWorkflowId("counter-" + UUID.randomUUID());
  }

  static WorkflowStub start(String queue) {
    WorkflowStub stub = client.newUntypedWorkflowStub("Counter", options(queue).build());
    stub.start();
    return stub;
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

  static ApplicationFailure failure(Runnable update) {
    return assertInstanceOf(
        ApplicationFailure.class, assertThrows(WorkflowUpdateException.class, update::run).getCause());
  }

  @Test
  void acceptedAndCompletedOnceForEachId() {
    WorkflowStub stub = start(QUEUE);
    assertEquals(3, add(stub, "u1", 3));
    assertEquals(3, add(stub, "u1", 3));
    assertEquals("too much at once", failure(() -> add(stub, "u2", 101)).getOriginalMessage());
    stub.signal("end");
    assertEquals(3, stub.getResult(Integer.class));
    assertEquals(3, stub.getUpdateHandle("u1", Integer.class).getResult());
  }

  @Test
  void aRejectedOneLeavesNoTrace() {
    WorkflowStub stub = start(QUEUE);
    String id = stub.getExecution().getWorkflowId();
    assertEquals(1, add(stub, "u1", 1));
    int before = client.fetchHistory(id).getEvents().size();
    for (int n = 0; n < 3; n++) {
      assertEquals("never negative", failure(() -> add(stub, "bad", -1)).getOriginalMessage());
    }
    assertEquals(before, client.fetchHistory(id).getEvents().size());
    assertEquals(2, add(stub, "u2", 1));
    stub.terminate("done");
  }

  @Test
  void severalAtOnceSomeWithActivities() {
    WorkflowStub stub = start(QUEUE);
    List<CompletableFuture<?>> updates = new ArrayList<>();
    for (int n = 0; n < 4; n++) {
      updates.add(CompletableFuture.supplyAsync(() -> stub.update("add", Integer.class, 1)));
      updates.add(CompletableFuture.supplyAsync(() -> stub.update("greetAndAdd", String.class, 1)));
    }
    updates.forEach(CompletableFuture::join);
    stub.signal("end");
    assertEquals(8, stub.getResult(Integer.class));
  }

  @Test
  void ofAWorkflowThatCloses() {
    WorkflowStub stub = start(QUEUE);
    assertEquals("AcceptedUpdateCompletedWorkflow", failure(() -> stub.update("endAndHang", Void.class)).getType());
    assertThrows(WorkflowNotFoundException.class, () -> add(stub, "late", 1));
  }

  @Test
  void withStart() {
    WorkflowOptions.Builder options = options(QUEUE);
    assertEquals(5, updateWithStart(options, WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_FAIL));
    assertEquals(10, updateWithStart(options, WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING));
    var refused =
        assertThrows(
            WorkflowServiceException.class,
            () -> updateWithStart(options, WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_FAIL));
    var status = assertInstanceOf(StatusRuntimeException.class, refused.getCause()).getStatus();
    assertEquals(Status.Code.ALREADY_EXISTS, status.getCode());
  }

  static int updateWithStart(WorkflowOptions.Builder options, WorkflowIdConflictPolicy policy) {
    Counter counter = client.newWorkflowStub(Counter.class, options.setWorkflowIdConflictPolicy(policy).build());
    return WorkflowClient.executeUpdateWithStart(
        counter::add,
        5,
        UpdateOptions.<Integer>newBuilder().setResultClass(Integer.class).build(),
        new WithStartWorkflowOperation<>(counter::count));
  }

  @Test
  void aWorkerIsReplacedBetweenAcceptanceAndCompletion() throws Exception {
    String queue = "java-" + UUID.randomUUID();
    WorkerFactory first = work(queue, false); // without activities the update has to wait
    WorkflowStub stub = start(queue);
    WorkflowUpdateHandle<String> update =
        stub.startUpdate("greetAndAdd", WorkflowUpdateStage.ACCEPTED, String.class, 4);
    first.shutdownNow();
    first.awaitTermination(10, TimeUnit.SECONDS);
    WorkerFactory second = work(queue, true);
    assertEquals("Hello, 4!", update.getResult());
    stub.signal("end");
    assertEquals(4, stub.getResult(Integer.class));
    second.shutdownNow();
  }
}
