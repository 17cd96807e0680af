"""Activities for the tests of those that stand alone."""

import asyncio

from temporalio import activity
from temporalio.exceptions import ApplicationError

REASONS = ("not_found", "cancel_requested", "paused", "timed_out", "worker_shutdown", "reset")

TOLD: dict[str, str] = {}  # activity id: why it was stopped first
TOKENS: dict[str, bytes] = {}  # activity id: the task token of one that is completed elsewhere


def told() -> str:
    details = activity.cancellation_details()
    return ", ".join(reason for reason in REASONS if details and getattr(details, reason))


@activity.defn
async def introduce(name: str) -> str:
    info = activity.info()
    assert info.workflow_id is None and not info.in_workflow, info
    return f"{name}, this is attempt {info.attempt} of {info.activity_id}"


@activity.defn
async def stumble(times: int) -> list[int]:
    """Fails so often, and tells which attempts it has heard of."""
    info = activity.info()
    before = list(info.heartbeat_details)
    activity.heartbeat(*before, info.attempt)
    if info.attempt <= times:
        raise ApplicationError(f"attempt {info.attempt}", type="Stumbled")
    return [*before, info.attempt]


@activity.defn
async def beat(accept: bool) -> str:
    """Reports until it is stopped; later attempts say why the first was."""
    info = activity.info()
    if info.activity_id in TOLD:
        return f"attempt {info.attempt} after {TOLD[info.activity_id]}"
    try:
        while True:
            activity.heartbeat("some way")
            await asyncio.sleep(0.03)
    except asyncio.CancelledError:
        TOLD[info.activity_id] = told()
        if accept:
            raise
        return "finished all the same"


@activity.defn
async def elsewhere() -> str:
    TOKENS[activity.info().activity_id] = activity.info().task_token
    activity.raise_complete_async()


ACTIVITIES = [introduce, stumble, beat, elsewhere]
