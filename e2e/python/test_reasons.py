"""Why an activity is stopped, as a Core-based SDK tells it (spec activity.md 7.2)."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import reasons as r
from temporalio.client import Client, WorkflowFailureError
from temporalio.api.enums.v1 import EventType
from temporalio.exceptions import ActivityError, CancelledError, TimeoutError, TimeoutType
from temporalio.worker import Worker
from test_suite import client, failure, start, until_heartbeat  # noqa: F401  (client is a fixture)


@asynccontextmanager
async def listening(client: Client, queue: str):  # noqa: F811
    async with Worker(
        client,
        task_queue=queue,
        workflows=[r.Listening, r.Unspeakable, r.Persisting, r.Locally],
        activities=[r.listen, r.unspeakable, r.persist, r.yield_when_cancelled],
        max_heartbeat_throttle_interval=timedelta(milliseconds=50),
        graceful_shutdown_timeout=timedelta(milliseconds=100),
    ):
        yield


async def told(handle) -> str:
    while handle.id not in r.TOLD:
        await asyncio.sleep(0.05)
    return r.TOLD[handle.id]


async def test_workflow_closed_is_not_found(client):  # noqa: F811
    async with listening(client, "closed"):
        handle = await start(client, r.Listening.run, True, 20.0, 1, queue="closed")
        await until_heartbeat(handle)
        await handle.terminate()
        assert await told(handle) == "not_found"


async def test_timed_out(client):  # noqa: F811
    """The server ends it after a second of silence; the SDK finds out by itself, five seconds later."""
    async with listening(client, "late"):
        handle = await start(client, r.Listening.run, False, 1.0, 1, queue="late")
        try:
            await handle.result()
            raise AssertionError("it should have timed out")
        except WorkflowFailureError as err:
            assert isinstance(err.cause, ActivityError) and isinstance(err.cause.cause, TimeoutError)
            assert err.cause.cause.type == TimeoutType.HEARTBEAT
        assert "timed_out" in await told(handle)


async def test_worker_shutdown_is_retried_elsewhere(client):  # noqa: F811
    async with listening(client, "shutdown"):
        handle = await start(client, r.Listening.run, True, 20.0, 0, queue="shutdown")
        await until_heartbeat(handle)
    async with listening(client, "shutdown"):
        assert await handle.result() == "attempt 2 after worker_shutdown"


async def test_unconvertible_heartbeat_details_fail_the_attempt(client):  # noqa: F811
    async with listening(client, "unspeakable"):
        handle = await start(client, r.Unspeakable.run, queue="unspeakable")
        assert await handle.result() == "attempt 2"


async def until(condition) -> None:
    while not condition():
        await asyncio.sleep(0.05)


async def requests(handle) -> int:
    """How often the cancellation of an activity was requested, by the history."""
    asked = EventType.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED
    return sum(event.event_type == asked for event in (await handle.fetch_history()).events)


async def cancelled_while_running(client, queue: str, beats: bool, wait: bool):  # noqa: F811
    handle = await start(client, r.Persisting.run, beats, wait, queue=queue)
    await until(lambda: handle.id in r.BEGUN)
    await handle.cancel()
    return handle


async def test_without_heartbeat_no_cancellation(client):  # noqa: F811
    async with listening(client, "silent"):
        handle = await cancelled_while_running(client, "silent", False, True)
        while await requests(handle) == 0:
            await asyncio.sleep(0.05)
        r.RELEASED.add(handle.id)
        assert await handle.result() == "cancelled 0 times"


async def test_cancelling_twice_is_one_request(client):  # noqa: F811
    async with listening(client, "twice"):
        handle = await cancelled_while_running(client, "twice", True, True)
        while await requests(handle) == 0:
            await asyncio.sleep(0.05)
        await handle.cancel()
        beats = set()
        while len(beats) < 5:  # each answer carries the flag
            pending = (await handle.describe()).raw_description.pending_activities
            beats.add(pending[0].last_heartbeat_time.ToNanoseconds())
            await asyncio.sleep(0.05)
        r.RELEASED.add(handle.id)
        assert await handle.result() == "cancelled 1 times"
        assert await requests(handle) == 1


async def test_abandon_requests_nothing(client):  # noqa: F811
    async with listening(client, "abandoned"):
        handle = await cancelled_while_running(client, "abandoned", True, False)
        assert isinstance(await failure(handle.result()), CancelledError)
        assert await requests(handle) == 0
        r.RELEASED.add(handle.id)


async def test_local_activity_is_cancelled(client):  # noqa: F811
    async with listening(client, "local"):
        handle = await start(client, r.Locally.run, queue="local")
        await until(lambda: handle.id in r.BEGUN)
        await handle.cancel()
        assert isinstance(await failure(handle.result()), CancelledError)
        types = {event.event_type for event in (await handle.fetch_history()).events}
        assert EventType.EVENT_TYPE_MARKER_RECORDED in types
        assert EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED not in types
