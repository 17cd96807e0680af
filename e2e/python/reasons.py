"""An activity that says why it was stopped, and workflows that wait for it."""

import asyncio
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy

REASONS = ("not_found", "cancel_requested", "paused", "timed_out", "worker_shutdown", "reset")

TOLD: dict[str, str] = {}  # workflow id: why its activity was stopped first


@activity.defn
async def listen(beats: bool) -> str:
    info = activity.info()
    if info.attempt > 1:
        return f"attempt {info.attempt} after {TOLD.get(info.workflow_id)}"
    activity.heartbeat()
    try:
        while True:
            await asyncio.sleep(0.05)
            if beats:
                activity.heartbeat()
    except asyncio.CancelledError:
        details = activity.cancellation_details()
        TOLD[info.workflow_id] = ", ".join(reason for reason in REASONS if details and getattr(details, reason))
        raise


@activity.defn
async def unspeakable() -> str:
    if activity.info().attempt == 1:
        activity.heartbeat(object())  # no converter knows it
        await asyncio.sleep(10)
    return f"attempt {activity.info().attempt}"


BEGUN: set[str] = set()  # workflow ids whose "persist" has begun
RELEASED: set[str] = set()  # those whose "persist" may end


@activity.defn
async def persist(beats: bool) -> str:
    """Goes on whatever it is told, and counts how often it was cancelled."""
    workflow_id, cancels = activity.info().workflow_id, 0
    BEGUN.add(workflow_id)
    while workflow_id not in RELEASED:
        try:
            if beats:
                activity.heartbeat()
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            cancels += 1
    return f"cancelled {cancels} times"


@activity.defn
async def yield_when_cancelled() -> None:
    BEGUN.add(activity.info().workflow_id)
    await asyncio.Event().wait()


@workflow.defn
class Persisting:
    @workflow.run
    async def run(self, beats: bool, wait: bool) -> str:
        types = workflow.ActivityCancellationType
        return await workflow.execute_activity(
            persist,
            beats,
            start_to_close_timeout=timedelta(minutes=1),
            cancellation_type=types.WAIT_CANCELLATION_COMPLETED if wait else types.ABANDON,
        )


@workflow.defn
class Locally:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_local_activity(yield_when_cancelled, start_to_close_timeout=timedelta(minutes=1))


@workflow.defn
class Listening:
    @workflow.run
    async def run(self, beats: bool, heartbeat_timeout: float, attempts: int) -> str:
        return await workflow.execute_activity(
            listen,
            beats,
            start_to_close_timeout=timedelta(minutes=1),
            heartbeat_timeout=timedelta(seconds=heartbeat_timeout),
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=20), maximum_attempts=attempts),
        )


@workflow.defn
class Unspeakable:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(unspeakable, start_to_close_timeout=timedelta(minutes=1))
