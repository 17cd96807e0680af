"""Why an activity is stopped, as a Core-based SDK tells it (spec activity.md 7.2)."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import reasons as r
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ActivityError, TimeoutError, TimeoutType
from temporalio.worker import Worker
from test_suite import client, start, until_heartbeat  # noqa: F401  (client is a fixture)


@asynccontextmanager
async def listening(client: Client, queue: str):  # noqa: F811
    async with Worker(
        client,
        task_queue=queue,
        workflows=[r.Listening, r.Unspeakable],
        activities=[r.listen, r.unspeakable],
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
