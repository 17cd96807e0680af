"""The official Python SDK, unmodified, against the real binary."""

import asyncio
import uuid
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateStage,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    RetryState,
    TerminatedError,
    TimeoutError,
    TimeoutType,
    WorkflowAlreadyStartedError,
)
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

import definitions as d
from harness import Server

QUEUE = "python"


@asynccontextmanager
async def working(client: Client, queue: str):
    worker = Worker(
        client,
        task_queue=queue,
        workflows=d.WORKFLOWS,
        activities=d.ACTIVITIES,
        max_heartbeat_throttle_interval=timedelta(milliseconds=50),
    )
    async with worker:
        yield


@pytest.fixture(scope="session")
async def client():
    server = Server()
    try:
        client = await Client.connect(server.address)
        async with working(client, QUEUE):
            yield client
    finally:
        server.kill()


async def start(client: Client, workflow, *args, queue: str = QUEUE) -> WorkflowHandle:
    return await client.start_workflow(workflow, args=args, id=f"{workflow.__qualname__}-{uuid.uuid4()}", task_queue=queue)


async def run(client: Client, workflow, *args):
    return await (await start(client, workflow, *args)).result()


async def failure(result) -> BaseException:
    with pytest.raises(WorkflowFailureError) as caught:
        await result
    return caught.value.cause


async def test_hello(client):
    assert await run(client, d.Hello.run, "world") == "Hello, world!"


async def test_retries_to_success(client):
    assert await run(client, d.Retried.run, 3, 5) == 3


async def test_exhausts_its_retries(client):
    err = await failure(run(client, d.Retried.run, 3, 2))
    assert isinstance(err, ActivityError) and err.retry_state == RetryState.MAXIMUM_ATTEMPTS_REACHED
    assert err.cause.message == "attempt 2"


async def test_non_retryable_failure(client):
    err = await failure(run(client, d.NonRetryable.run))
    assert isinstance(err, ActivityError) and err.retry_state == RetryState.NON_RETRYABLE_FAILURE
    assert isinstance(err.cause, ApplicationError) and err.cause.type == "Never" and list(err.cause.details) == ["detail"]


async def test_chain_of_causes(client):
    err = await failure(run(client, d.CauseChain.run))
    assert err.cause.type == "Outer" and err.cause.cause.type == "ValueError" and err.cause.cause.message == "inner"


@pytest.mark.parametrize("kind", ["SCHEDULE_TO_START", "SCHEDULE_TO_CLOSE", "START_TO_CLOSE", "HEARTBEAT"])
async def test_times_out(client, kind):
    err = await failure(run(client, d.TimedOut.run, kind))
    assert isinstance(err, ActivityError) and isinstance(err.cause, TimeoutError)
    assert err.cause.type == TimeoutType[kind]


async def test_heartbeat_details_survive_a_retry(client):
    assert await run(client, d.HeartbeatDetails.run) == "got this far"


async def until_heartbeat(handle: WorkflowHandle) -> None:
    while True:
        pending = (await handle.describe()).raw_description.pending_activities
        if any(a.HasField("last_heartbeat_time") for a in pending):
            return
        await asyncio.sleep(0.05)


async def test_cancellation_accepted(client):
    handle = await start(client, d.Cancelled.run, True)
    await until_heartbeat(handle)
    await handle.cancel()
    assert isinstance(await failure(handle.result()), CancelledError)


async def test_cancellation_ignored(client):
    handle = await start(client, d.Cancelled.run, False)
    await until_heartbeat(handle)
    await handle.cancel()
    assert await handle.result() == "finished anyway"


async def test_local_activity(client):
    assert await run(client, d.Local.run) == "Hello, here!"


async def test_timer(client):
    assert await run(client, d.Napping.run, 0.7) >= 0.7


async def test_signal_and_query(client):
    handle = await start(client, d.Waiting.run)
    assert await handle.query(d.Waiting.state) == "waiting"
    with pytest.raises(WorkflowQueryFailedError):
        await handle.query("no such query")
    await handle.signal(d.Waiting.go, "now")
    assert await handle.result() == "now"
    assert await handle.query(d.Waiting.state) == "now"


async def test_signal_with_start(client):
    handle = await client.start_workflow(
        d.Waiting.run, id=f"sws-{uuid.uuid4()}", task_queue=QUEUE, start_signal="go", start_signal_args=["both"]
    )
    assert await handle.result() == "both"


async def test_child(client):
    handle = await start(client, d.Parent.run, False)
    assert await handle.result() == handle.id
    err = await failure(run(client, d.Parent.run, True))
    assert isinstance(err, ChildWorkflowError) and err.cause.type == "Fell"


async def test_continue_as_new(client):
    handle = await start(client, d.Countdown.run, 3)
    assert await handle.result() == handle.first_execution_run_id


async def test_cancel(client):
    handle = await start(client, d.Forever.run)
    await handle.cancel()
    assert isinstance(await failure(handle.result()), CancelledError)


async def test_shielded_clean_up(client):
    handle = await start(client, d.Shielded.run)
    await handle.cancel()
    assert await handle.result() == "Hello, clean-up!"


async def test_terminate(client):
    handle = await start(client, d.Forever.run)
    await handle.terminate("enough")
    assert isinstance(await failure(handle.result()), TerminatedError)
    with pytest.raises(RPCError) as caught:
        await handle.terminate()
    assert caught.value.status == RPCStatusCode.NOT_FOUND


async def test_already_started(client):
    handle = await start(client, d.Forever.run)
    with pytest.raises(WorkflowAlreadyStartedError):
        await client.start_workflow(d.Forever.run, id=handle.id, task_queue=QUEUE)
    await handle.terminate()


async def test_list(client):
    handle = await start(client, d.Hello.run, "listed")
    await handle.result()
    found = [w async for w in client.list_workflows(f"WorkflowId = '{handle.id}'")]
    assert len(found) == 1 and found[0].status.name == "COMPLETED"


async def test_a_worker_is_replaced_in_the_middle(client):
    queue = f"python-{uuid.uuid4()}"
    async with working(client, queue):
        handle = await start(client, d.Interrupted.run, queue=queue)
        while sum(e.HasField("workflow_task_completed_event_attributes") for e in (await handle.fetch_history()).events) < 2:
            await asyncio.sleep(0.05)
    await handle.signal(d.Interrupted.go)
    async with working(client, queue):
        assert await handle.result() == "Hello, before!Hello, after!"


async def test_update(client):
    handle = await start(client, d.Counter.run)
    assert await handle.execute_update(d.Counter.add, 3, id="u1") == 3
    assert await handle.execute_update(d.Counter.add, 3, id="u1") == 3
    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await handle.execute_update(d.Counter.add, 101)
    assert failed.value.cause.message == "too much at once"
    await handle.signal(d.Counter.end)
    assert await handle.result() == 3
    assert await handle.get_update_handle_for(d.Counter.add, "u1").result() == 3


async def test_rejected_update_leaves_no_trace(client):
    handle = await start(client, d.Counter.run)
    assert await handle.execute_update(d.Counter.add, 1) == 1
    before = len((await handle.fetch_history()).events)
    for _ in range(3):
        with pytest.raises(WorkflowUpdateFailedError) as rejected:
            await handle.execute_update(d.Counter.add, -1)
        assert rejected.value.cause.message == "never negative"
    assert len((await handle.fetch_history()).events) == before
    assert await handle.execute_update(d.Counter.add, 1) == 2
    await handle.terminate()


async def test_updates_together(client):
    handle = await start(client, d.Counter.run)
    await asyncio.gather(*(handle.execute_update(d.Counter.add, 1) for _ in range(6)),
                         *(handle.execute_update(d.Counter.greet_and_add, 1) for _ in range(6)))
    await handle.signal(d.Counter.end)
    assert await handle.result() == 12


async def test_update_of_a_closing_workflow(client):
    handle = await start(client, d.Counter.run)
    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await handle.execute_update(d.Counter.end_and_hang)
    assert failed.value.cause.type == "AcceptedUpdateCompletedWorkflow"
    with pytest.raises(RPCError) as gone:
        await handle.execute_update(d.Counter.add, 1)
    assert gone.value.status == RPCStatusCode.NOT_FOUND


async def test_update_with_start(client):
    id = f"counter-{uuid.uuid4()}"

    def operation(policy):
        return WithStartWorkflowOperation(d.Counter.run, id=id, task_queue=QUEUE, id_conflict_policy=policy)

    first = operation(WorkflowIDConflictPolicy.FAIL)
    assert await client.execute_update_with_start_workflow(d.Counter.add, 5, start_workflow_operation=first) == 5
    second = operation(WorkflowIDConflictPolicy.USE_EXISTING)
    assert await client.execute_update_with_start_workflow(d.Counter.add, 5, start_workflow_operation=second) == 10
    assert (await first.workflow_handle()).first_execution_run_id == (await second.workflow_handle()).first_execution_run_id
    with pytest.raises(WorkflowAlreadyStartedError):
        third = operation(WorkflowIDConflictPolicy.FAIL)
        await client.execute_update_with_start_workflow(d.Counter.add, 5, start_workflow_operation=third)


async def test_update_outlives_its_worker(client):
    queue = f"python-{uuid.uuid4()}"
    async with Worker(client, task_queue=queue, workflows=d.WORKFLOWS):  # without activities the update has to wait
        handle = await start(client, d.Counter.run, queue=queue)
        update = await handle.start_update(d.Counter.greet_and_add, 4, wait_for_stage=WorkflowUpdateStage.ACCEPTED)
    async with working(client, queue):
        assert await update.result() == "Hello, 4!"
        await handle.signal(d.Counter.end)
        assert await handle.result() == 4
