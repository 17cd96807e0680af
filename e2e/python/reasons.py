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
