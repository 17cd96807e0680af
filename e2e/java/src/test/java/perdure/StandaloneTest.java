package perdure;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.FieldMask;
import com.google.protobuf.util.Durations;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.temporal.api.activity.v1.ActivityOptions;
import io.temporal.api.enums.v1.ActivityExecutionStatus;
import io.temporal.api.enums.v1.ActivityIdConflictPolicy;
import io.temporal.api.enums.v1.ActivityIdReusePolicy;
import io.temporal.api.enums.v1.PendingActivityState;
import io.temporal.api.enums.v1.TimeoutType;
import io.temporal.api.workflowservice.v1.DeleteActivityExecutionRequest;
import io.temporal.api.workflowservice.v1.PauseActivityExecutionRequest;
import io.temporal.api.workflowservice.v1.RequestCancelActivityExecutionRequest;
import io.temporal.api.workflowservice.v1.ResetActivityExecutionRequest;
import io.temporal.api.workflowservice.v1.UnpauseActivityExecutionRequest;
import io.temporal.api.workflowservice.v1.UpdateActivityExecutionOptionsRequest;
import io.temporal.api.workflowservice.v1.WorkflowServiceGrpc;
import io.temporal.client.ActivityAlreadyStartedException;
import io.temporal.client.ActivityClient;
import io.temporal.client.ActivityExecutionDescription;
import io.temporal.client.ActivityFailedException;
import io.temporal.client.ActivityHandle;
import io.temporal.client.StartActivityOptions;
import io.temporal.client.WorkflowClient;
import io.temporal.common.RetryOptions;
import io.temporal.failure.ApplicationFailure;
import io.temporal.failure.CanceledFailure;
import io.temporal.failure.TerminatedFailure;
import io.temporal.failure.TimeoutFailure;
import io.temporal.serviceclient.WorkflowServiceStubs;
import io.temporal.serviceclient.WorkflowServiceStubsOptions;
import io.temporal.worker.Worker;
import io.temporal.worker.WorkerFactory;
import io.temporal.worker.WorkerOptions;
import java.time.Duration;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Activities that stand alone (spec activity.md 11), through the Java SDK. */
@Timeout(60)
class StandaloneTest {
  static final String QUEUE = "java-standalone";
  static Server server;
  static WorkflowServiceStubs service;
  static ActivityClient client;
  static WorkerFactory factory;

  @BeforeAll
  static void begin() throws Exception {
    server = new Server();
    service =
        WorkflowServiceStubs.newServiceStubs(
            WorkflowServiceStubsOptions.newBuilder().setTarget(server.address).build());
    client = ActivityClient.newInstance(service);
    factory = WorkerFactory.newInstance(WorkflowClient.newInstance(service));
    Worker worker =
        factory.newWorker(
            QUEUE, WorkerOptions.newBuilder().setMaxHeartbeatThrottleInterval(Duration.ofMillis(50)).build());
    worker.registerActivitiesImplementations(new Alone.Impl());
    factory.start();
  }

  @AfterAll
  static void end() throws Exception {
    if (factory != null) factory.shutdownNow();
    if (service != null) service.shutdownNow();
    if (server != null) server.close();
  }

  static WorkflowServiceGrpc.WorkflowServiceBlockingStub api() {
    return service.blockingStub();
  }

  static RetryOptions retries(int maximum) {
    return RetryOptions.newBuilder()
        .setInitialInterval(Duration.ofMillis(20))
        .setBackoffCoefficient(1)
        .setMaximumAttempts(maximum)
        .build();
  }

  static StartActivityOptions.Builder options() {
    return StartActivityOptions.newBuilder()
        .setId("a-" + UUID.randomUUID())
        .setTaskQueue(QUEUE)
        .setStartToCloseTimeout(Duration.ofSeconds(30))
        .setRetryOptions(retries(0));
  }

  static ActivityHandle<String> start(StartActivityOptions.Builder options, String type, Object... args) {
    return client.start(type, String.class, options.build(), args);
  }

  static ActivityHandle<String> beating(boolean accept) throws Exception {
    var handle = start(options().setHeartbeatTimeout(Duration.ofSeconds(20)), "Beat", accept);
    describedUntil(handle, d -> d.getRawInfo().hasLastHeartbeatTime());
    return handle;
  }

  static ActivityExecutionDescription describedUntil(
      ActivityHandle<String> handle, Predicate<ActivityExecutionDescription> wanted) throws Exception {
    while (true) {
      var description = handle.describe();
      if (wanted.test(description)) return description;
      TimeUnit.MILLISECONDS.sleep(50);
    }
  }

  static Throwable failure(ActivityHandle<String> handle) {
    return assertThrows(ActivityFailedException.class, handle::getResult).getCause();
  }

  @Test
  void standaloneActivity() {
    var handle = start(options().setStaticSummary("a greeting"), "Introduce", "Hello");
    String id = handle.getActivityId();
    assertEquals("Hello, this is attempt 1 of " + id, handle.getResult());
    var d = handle.describe();
    assertEquals(ActivityExecutionStatus.ACTIVITY_EXECUTION_STATUS_COMPLETED, d.getStatus());
    assertEquals(handle.getActivityRunId(), d.getActivityRunId());
    assertEquals("temporal-java", d.getRawInfo().getSdkName());
    assertEquals("a greeting", d.getStaticSummary());
    var listed = client.listExecutions("ActivityId = '" + id + "' AND ActivityType = 'Introduce'").toList();
    assertEquals(1, listed.size());
    assertEquals(id, listed.get(0).getActivityId());
    var count = client.countExecutions("ActivityId = '" + id + "' GROUP BY ExecutionStatus");
    assertEquals(1, count.getCount());
    assertEquals(1, count.getGroups().size());
  }

  @Test
  void standaloneRetries() {
    assertEquals("attempt 3 after 2", start(options(), "Stumble", 2).getResult());
    var err = assertInstanceOf(ApplicationFailure.class, failure(start(options().setRetryOptions(retries(2)), "Stumble", 5)));
    assertEquals("Stumbled", err.getType());
    assertEquals("attempt 2", err.getOriginalMessage());
  }

  @Test
  void standaloneHasNoTimeLimit() {
    var handle = start(options(), "Stumble", 12);
    assertEquals("attempt 13 after 12", handle.getResult());
    var info = handle.describe().getRawInfo();
    assertTrue(info.hasScheduleToCloseTimeout());
    assertEquals(0, Durations.toNanos(info.getScheduleToCloseTimeout()));
    assertFalse(info.hasExpirationTime());
  }

  @Test
  void standaloneTimesOut() {
    var nobody = options().setTaskQueue("java-nobody").setScheduleToStartTimeout(Duration.ofMillis(100));
    var err = assertInstanceOf(TimeoutFailure.class, failure(start(nobody, "Introduce", "Hello")));
    assertEquals(TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START, err.getTimeoutType());
  }

  @Test
  void standaloneCancellationAccepted() throws Exception {
    var handle = beating(true);
    handle.cancel("changed my mind");
    assertInstanceOf(CanceledFailure.class, failure(handle));
    assertEquals("ActivityCanceledException", Alone.Impl.TOLD.get(handle.getActivityId()));
    assertEquals("changed my mind", handle.describe().getCanceledReason());
  }

  @Test
  void standaloneCancellationIgnored() throws Exception {
    var handle = beating(false);
    handle.cancel();
    assertEquals("finished all the same", handle.getResult());
  }

  private static void cancel(String id, String requestID) {
    api().requestCancelActivityExecution(
        RequestCancelActivityExecutionRequest.newBuilder()
            .setNamespace("default").setActivityId(id).setRequestId(requestID).build());
  }

  @Test
  void standaloneCancellationIsRequestedOnce() throws Exception {
    var handle = start(options(), "Elsewhere");
    describedUntil(handle, d -> d.getRunState() == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED);
    String id = handle.getActivityId();
    cancel(id, "first");
    cancel(id, "first");
    var refused = assertThrows(StatusRuntimeException.class, () -> cancel(id, "second"));
    assertEquals(Status.Code.FAILED_PRECONDITION, refused.getStatus().getCode());
    assertEquals("cancellation already requested with request ID first", refused.getStatus().getDescription());
    client.newActivityCompletionClient().reportCancellationStandalone(id, Optional.empty(), "accepted");
    assertInstanceOf(CanceledFailure.class, failure(handle));
    cancel(id, "first"); // also when it is over
  }

  @Test
  void standaloneTerminatedAndDeleted() throws Exception {
    var handle = beating(true);
    String id = handle.getActivityId();
    handle.terminate("enough");
    assertEquals("enough", assertInstanceOf(TerminatedFailure.class, failure(handle)).getOriginalMessage());
    while (!Alone.Impl.TOLD.containsKey(id)) TimeUnit.MILLISECONDS.sleep(50); // stopped at its next heartbeat
    assertEquals("ActivityNotExistsException", Alone.Impl.TOLD.get(id));
    api().deleteActivityExecution(
        DeleteActivityExecutionRequest.newBuilder().setNamespace("default").setActivityId(id).build());
    assertThrows(Exception.class, () -> describedUntil(handle, d -> false));
  }

  @Test
  void standaloneIDPolicies() {
    var waits = start(options().setTaskQueue("java-nobody"), "Introduce", "Hello");
    String id = waits.getActivityId();
    assertThrows(ActivityAlreadyStartedException.class, () -> start(options().setId(id), "Introduce", "Hello"));
    var existing =
        options().setId(id).setIdConflictPolicy(ActivityIdConflictPolicy.ACTIVITY_ID_CONFLICT_POLICY_USE_EXISTING);
    assertEquals(waits.getActivityRunId(), start(existing, "Introduce", "Hello").getActivityRunId());
    waits.terminate("served");
    var policy = ActivityIdReusePolicy.ACTIVITY_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY;
    start(options().setId(id).setIdReusePolicy(policy), "Introduce", "Hello").getResult();
    assertThrows(
        ActivityAlreadyStartedException.class,
        () -> start(options().setId(id).setIdReusePolicy(policy), "Introduce", "Hello"));
  }

  @Test
  void standaloneStartDelay() {
    var handle = start(options().setStartDelay(Duration.ofMillis(500)), "Introduce", "Hello");
    handle.getResult();
    var d = handle.describe();
    assertFalse(d.getLastStartedTime().isBefore(d.getScheduledTime().plusMillis(500)));
  }

  @Test
  void standaloneAsyncCompletion() throws Exception {
    var elsewhere = client.newActivityCompletionClient();
    var byID = start(options(), "Elsewhere");
    describedUntil(byID, d -> d.getRunState() == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED);
    elsewhere.heartbeatStandalone(byID.getActivityId(), Optional.empty(), "half way");
    describedUntil(byID, d -> d.getRawInfo().hasLastHeartbeatTime());
    elsewhere.completeStandalone(byID.getActivityId(), Optional.of(byID.getActivityRunId()), "by id");
    assertEquals("by id", byID.getResult());
    var byToken = start(options(), "Elsewhere");
    while (!Alone.Impl.TOKENS.containsKey(byToken.getActivityId())) TimeUnit.MILLISECONDS.sleep(50);
    elsewhere.complete(Alone.Impl.TOKENS.get(byToken.getActivityId()), "by token");
    assertEquals("by token", byToken.getResult());
  }

  @Test
  void standalonePaused() throws Exception {
    var handle = beating(true);
    String id = handle.getActivityId();
    api().pauseActivityExecution(
        PauseActivityExecutionRequest.newBuilder()
            .setNamespace("default").setActivityId(id).setReason("maintenance").build());
    var d = describedUntil(handle, s -> s.getRunState() == PendingActivityState.PENDING_ACTIVITY_STATE_PAUSED);
    assertEquals(ActivityExecutionStatus.ACTIVITY_EXECUTION_STATUS_PAUSED, d.getStatus());
    assertEquals(2, d.getAttempt());
    api().unpauseActivityExecution(
        UnpauseActivityExecutionRequest.newBuilder().setNamespace("default").setActivityId(id).build());
    assertEquals("attempt 2 after ActivityPausedException", handle.getResult());
  }

  @Test
  void standaloneReset() throws Exception {
    var handle = beating(true);
    api().resetActivityExecution(
        ResetActivityExecutionRequest.newBuilder()
            .setNamespace("default").setActivityId(handle.getActivityId()).build());
    assertEquals("attempt 1 after ActivityResetException", handle.getResult());
  }

  @Test
  void standaloneOptionsUpdated() throws Exception {
    var hour = Duration.ofHours(1);
    var hourly = RetryOptions.newBuilder().setInitialInterval(hour).setMaximumInterval(hour).build();
    var handle = start(options().setRetryOptions(hourly), "Stumble", 1);
    describedUntil(handle, d -> d.getAttempt() == 2);
    var policy = io.temporal.api.common.v1.RetryPolicy.newBuilder().setInitialInterval(Durations.fromMillis(1));
    var answer =
        api()
            .updateActivityExecutionOptions(
                UpdateActivityExecutionOptionsRequest.newBuilder()
                    .setNamespace("default")
                    .setActivityId(handle.getActivityId())
                    .setActivityOptions(ActivityOptions.newBuilder().setRetryPolicy(policy))
                    .setUpdateMask(FieldMask.newBuilder().addPaths("retry_policy.initial_interval"))
                    .build());
    assertEquals(1, Durations.toMillis(answer.getActivityOptions().getRetryPolicy().getInitialInterval()));
    assertEquals("attempt 2 after 1", handle.getResult());
  }
}
