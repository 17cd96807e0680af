"""Activities that stand alone (spec activity.md 11), through the Python SDK (a Core-based SDK)."""

import asyncio
import uuid
from contextlib import asynccontextmanager
from datetime import timedelta, timezone

import pytest
import standalone as s
from temporalio.api.workflowservice.v1 import DeleteActivityExecutionRequest, RequestCancelActivityExecutionRequest, ResetActivityExecutionRequest
from temporalio.client import (
    ActivityExecutionStatus,
    ActivityFailureError,
    ActivityHandle,
    ActivityOptionsKeys,
    Client,
    PendingActivityState,
)
from temporalio.common import ActivityIDConflictPolicy, ActivityIDReusePolicy, RetryPolicy
from temporalio.exceptions import ActivityAlreadyStartedError, ApplicationError, CancelledError, TerminatedError, TimeoutError, TimeoutType
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker
from test_suite import client  # noqa: F401  (client is a fixture)

QUEUE = "python-standalone"
QUICK = RetryPolicy(initial_interval=timedelta(milliseconds=20), backoff_coefficient=1.0)


@asynccontextmanager
async def working(client: Client, queue: str = QUEUE):  # noqa: F811
    async with Worker(
        client,
        task_queue=queue,
        activities=s.ACTIVITIES,
        max_heartbeat_throttle_interval=timedelta(milliseconds=50),
        graceful_shutdown_timeout=timedelta(seconds=5),
    ):
        yield


async def start(client: Client, activity, *args, **options) -> ActivityHandle:  # noqa: F811
    options = {
        "id": f"{activity.__name__}-{uuid.uuid4()}",
        "task_queue": QUEUE,
        "start_to_close_timeout": timedelta(seconds=30),
        "retry_policy": QUICK,
        **options,
    }
    return await client.start_activity(activity, args=args, **options)


async def described_until(handle: ActivityHandle, wanted):
    while True:
        description = await handle.describe()
        if wanted(description):
            return description
        await asyncio.sleep(0.05)


def beats(description) -> bool:
    return description.last_heartbeat_time is not None


async def failure(handle: ActivityHandle) -> BaseException:
    with pytest.raises(ActivityFailureError) as caught:
        await handle.result()
    return caught.value.cause


async def test_standalone_activity(client):  # noqa: F811
    async with working(client):
        handle = await start(client, s.introduce, "Hello", summary="a greeting")
        assert await handle.result() == f"Hello, this is attempt 1 of {handle.id}"
        d = await handle.describe(include_input=True, include_outcome=True)
        assert d.status == ActivityExecutionStatus.COMPLETED
        assert (d.activity_type, d.task_queue, d.attempt, d.activity_run_id) == ("introduce", QUEUE, 1, handle.run_id)
        assert await d.input() == ["Hello"]
        assert d.raw_info.sdk_name == "temporal-python"
        listed = [a async for a in client.list_activities(f"ActivityId = '{handle.id}' AND ActivityType = 'introduce'")]
        assert [(a.activity_id, a.status) for a in listed] == [(handle.id, ActivityExecutionStatus.COMPLETED)]
        count = await client.count_activities(f"ActivityId = '{handle.id}' GROUP BY ExecutionStatus")
        assert count.count == 1 and count.groups[0].group_values == ["Completed"]
        assert (await client.count_workflows(f"WorkflowId = '{handle.id}'")).count == 0


async def test_standalone_retries(client):  # noqa: F811
    async with working(client):
        handle = await start(client, s.stumble, 2)
        assert await handle.result() == [1, 2, 3]
        exhausted = await start(client, s.stumble, 5, retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=20), maximum_attempts=2))
        cause = await failure(exhausted)
        assert isinstance(cause, ApplicationError) and (cause.type, cause.message) == ("Stumbled", "attempt 2")


async def test_standalone_has_no_time_limit(client):  # noqa: F811
    async with working(client):
        handle = await start(client, s.stumble, 12)
        assert (await handle.result())[-1] == 13
        info = (await handle.describe()).raw_info
        assert info.HasField("schedule_to_close_timeout") and info.schedule_to_close_timeout.ToTimedelta() == timedelta()
        assert not info.HasField("expiration_time")


async def test_standalone_times_out(client):  # noqa: F811
    nobody = {"task_queue": "python-nobody"}
    handle = await start(client, s.introduce, "Hello", schedule_to_start_timeout=timedelta(milliseconds=100), **nobody)
    cause = await failure(handle)
    assert isinstance(cause, TimeoutError) and cause.type == TimeoutType.SCHEDULE_TO_START


async def test_standalone_cancellation_accepted(client):  # noqa: F811
    async with working(client):
        handle = await start(client, s.beat, True, heartbeat_timeout=timedelta(seconds=20))
        await described_until(handle, beats)
        await handle.cancel(reason="changed my mind")
        assert isinstance(await failure(handle), CancelledError)
        assert s.TOLD[handle.id] == "cancel_requested"
        d = await handle.describe()
        assert (d.status, d.canceled_reason) == (ActivityExecutionStatus.CANCELED, "changed my mind")


async def test_standalone_cancellation_ignored(client):  # noqa: F811
    async with working(client):
        handle = await start(client, s.beat, False, heartbeat_timeout=timedelta(seconds=20))
        await described_until(handle, beats)
        await handle.cancel()
        assert await handle.result() == "finished all the same"


async def test_standalone_cancellation_is_requested_once(client):  # noqa: F811
    async with working(client):
        handle = await start(client, s.elsewhere)
        await described_until(handle, lambda d: d.run_state == PendingActivityState.STARTED)

        async def cancel(request_id: str) -> None:
            request = RequestCancelActivityExecutionRequest(namespace="default", activity_id=handle.id, request_id=request_id)
            await client.workflow_service.request_cancel_activity_execution(request)

        await cancel("first")
        await cancel("first")
        with pytest.raises(RPCError) as refused:
            await cancel("second")
        assert refused.value.status == RPCStatusCode.FAILED_PRECONDITION
        assert refused.value.message == "cancellation already requested with request ID first"
        await client.get_async_activity_handle(activity_id=handle.id, run_id=handle.run_id).report_cancellation()
        assert isinstance(await failure(handle), CancelledError)
        await cancel("first")  # also when it is over


async def test_terminate_a_standalone_activity(client):  # noqa: F811
    async with working(client):
        handle = await start(client, s.beat, True, heartbeat_timeout=timedelta(seconds=20))
        await described_until(handle, beats)
        await handle.terminate(reason="enough")
        cause = await failure(handle)
        assert isinstance(cause, TerminatedError) and cause.message == "enough"
        while handle.id not in s.TOLD:  # the code is stopped at its next heartbeat
            await asyncio.sleep(0.05)
        assert s.TOLD[handle.id] == "not_found"
        await client.workflow_service.delete_activity_execution(DeleteActivityExecutionRequest(namespace="default", activity_id=handle.id))
        with pytest.raises(RPCError) as gone:
            while True:
                await handle.describe()
        assert gone.value.status == RPCStatusCode.NOT_FOUND


async def test_standalone_id_policies(client):  # noqa: F811
    async with working(client):
        waits = await start(client, s.introduce, "Hello", task_queue="python-nobody")
        with pytest.raises(ActivityAlreadyStartedError):
            await start(client, s.introduce, "Hello", id=waits.id)
        same = await start(client, s.introduce, "Hello", id=waits.id, id_conflict_policy=ActivityIDConflictPolicy.USE_EXISTING)
        assert same.run_id == waits.run_id
        await waits.terminate()
        again = await start(client, s.introduce, "Hello", id=waits.id, id_reuse_policy=ActivityIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY)
        await again.result()
        for policy in (ActivityIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY, ActivityIDReusePolicy.REJECT_DUPLICATE):
            with pytest.raises(ActivityAlreadyStartedError):
                await start(client, s.introduce, "Hello", id=waits.id, id_reuse_policy=policy)


async def test_standalone_start_delay(client):  # noqa: F811
    async with working(client):
        handle = await start(client, s.introduce, "Hello", start_delay=timedelta(milliseconds=500))
        info = (await handle.describe()).raw_info
        assert info.execution_time.ToDatetime() - info.schedule_time.ToDatetime() == timedelta(milliseconds=500)
        await handle.result()
        assert (await handle.describe()).last_started_time >= info.execution_time.ToDatetime(tzinfo=timezone.utc)


async def test_standalone_async_completion(client):  # noqa: F811
    async with working(client):
        by_id = await start(client, s.elsewhere)
        await described_until(by_id, lambda d: d.run_state == PendingActivityState.STARTED)
        elsewhere = client.get_async_activity_handle(activity_id=by_id.id, run_id=by_id.run_id)
        await elsewhere.heartbeat("half way")
        d = await by_id.describe(include_heartbeat_details=True)
        assert await d.heartbeat_details() == ["half way"]
        await elsewhere.complete("by id")
        assert await by_id.result() == "by id"
        by_token = await start(client, s.elsewhere)
        while by_token.id not in s.TOKENS:
            await asyncio.sleep(0.05)
        await client.get_async_activity_handle(task_token=s.TOKENS[by_token.id]).complete("by token")
        assert await by_token.result() == "by token"


async def test_pause_a_standalone_activity(client):  # noqa: F811
    async with working(client):
        handle = await start(client, s.beat, True, heartbeat_timeout=timedelta(seconds=20))
        await described_until(handle, beats)
        await handle.pause(reason="maintenance")
        d = await described_until(handle, lambda d: d.run_state == PendingActivityState.PAUSED)
        assert (d.status, d.attempt) == (ActivityExecutionStatus.PAUSED, 2)
        await handle.unpause(reason="done")
        assert await handle.result() == "attempt 2 after paused"


async def test_reset_a_standalone_activity(client):  # noqa: F811
    async with working(client):
        handle = await start(client, s.beat, True, heartbeat_timeout=timedelta(seconds=20))
        await described_until(handle, beats)
        request = ResetActivityExecutionRequest(namespace="default", activity_id=handle.id, reset_heartbeat=True)
        await client.workflow_service.reset_activity_execution(request)
        assert await handle.result() == "attempt 1 after reset"


async def test_a_stopped_worker_takes_nothing_with_it(client):  # noqa: F811
    """What is started while a worker stops is done by the next one: at once, or, if the worker went with the task in hand (AT-53), after its timeout."""

    async def come_and_go() -> None:
        async with working(client, "python-stopping"):
            pass

    for _ in range(5):
        begun = start(client, s.introduce, "Hello", task_queue="python-stopping", start_to_close_timeout=timedelta(seconds=5))
        _, handle = await asyncio.gather(come_and_go(), begun)
        async with working(client, "python-stopping"):
            assert await asyncio.wait_for(handle.result(), 30)


async def test_update_standalone_options(client):  # noqa: F811
    async with working(client):
        hourly = RetryPolicy(initial_interval=timedelta(hours=1), maximum_interval=timedelta(hours=1))
        handle = await start(client, s.stumble, 1, retry_policy=hourly)
        await described_until(handle, lambda d: d.attempt == 2)
        options = await handle.update_options([ActivityOptionsKeys.start_to_close_timeout.value_set(timedelta(seconds=44))])
        assert (options.start_to_close_timeout, options.task_queue) == (timedelta(seconds=44), QUEUE)
        assert (await handle.restore_original_options()).start_to_close_timeout == timedelta(seconds=30)
        await handle.update_options([ActivityOptionsKeys.retry_policy.value_set(RetryPolicy(initial_interval=timedelta(milliseconds=1)))])
        assert await handle.result() == [1, 2]
