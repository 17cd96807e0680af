"""The workflows and activities of the suite."""

import asyncio
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError

SHORT = timedelta(seconds=10)
QUICK = RetryPolicy(initial_interval=timedelta(milliseconds=20), backoff_coefficient=1.0)


def attempts(n: int) -> RetryPolicy:
    return RetryPolicy(initial_interval=timedelta(milliseconds=20), maximum_attempts=n)


@activity.defn
async def greet(name: str) -> str:
    return f"Hello, {name}!"


@activity.defn
async def fail_until_attempt(n: int) -> int:
    if activity.info().attempt < n:
        raise RuntimeError(f"attempt {activity.info().attempt}")
    return activity.info().attempt


@activity.defn
async def fail_for_good() -> None:
    raise ApplicationError("no", "detail", type="Never", non_retryable=True)


@activity.defn
async def fail_with_cause() -> None:
    try:
        raise ValueError("inner")
    except ValueError as inner:
        raise ApplicationError("outer", type="Outer", non_retryable=True) from inner


@activity.defn
async def hang() -> None:
    await asyncio.Event().wait()


@activity.defn
async def resume_from_heartbeat() -> str:
    if activity.info().heartbeat_details:
        return activity.info().heartbeat_details[0]
    activity.heartbeat("got this far")
    raise RuntimeError("stumbled")


@activity.defn
async def until_cancelled(accept: bool) -> str:
    try:
        while True:
            activity.heartbeat()
            await asyncio.sleep(0.05)
    except asyncio.CancelledError:
        if accept:
            raise
        details = activity.cancellation_details()
        return "finished anyway" if details and details.cancel_requested else f"cancelled for {details}"


HEALED = set()  # workflow ids whose "ailing" activity may succeed


@activity.defn
async def ailing() -> int:
    if activity.info().workflow_id not in HEALED:
        raise RuntimeError("still ill")
    return activity.info().attempt


@activity.defn
async def until_operator() -> str:
    """Heartbeats until an operator stops the attempt; the next one says what it was told."""
    workflow_id = activity.info().workflow_id
    if workflow_id in STOPPED:
        return f"attempt {activity.info().attempt} after {STOPPED[workflow_id]}"
    try:
        while True:
            activity.heartbeat()
            await asyncio.sleep(0.05)
    except asyncio.CancelledError:
        details = activity.cancellation_details()
        STOPPED[workflow_id] = ", ".join(name for name in ("cancel_requested", "paused", "reset") if getattr(details, name))
        raise


STOPPED: dict[str, str] = {}

ACTIVITIES = [
    greet,
    fail_until_attempt,
    fail_for_good,
    fail_with_cause,
    hang,
    resume_from_heartbeat,
    until_cancelled,
    ailing,
    until_operator,
]


@workflow.defn
class Hello:
    @workflow.run
    async def run(self, name: str) -> str:
        return await workflow.execute_activity(greet, name, start_to_close_timeout=SHORT)


@workflow.defn
class Ailing:
    @workflow.run
    async def run(self, first_interval: float) -> int:
        policy = RetryPolicy(initial_interval=timedelta(seconds=first_interval), backoff_coefficient=1.0)
        return await workflow.execute_activity(ailing, start_to_close_timeout=SHORT, retry_policy=policy)


@workflow.defn
class Operated:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(
            until_operator,
            start_to_close_timeout=timedelta(minutes=1),
            heartbeat_timeout=timedelta(seconds=20),
            retry_policy=QUICK,
        )


@workflow.defn
class Retried:
    @workflow.run
    async def run(self, succeed_at: int, maximum: int) -> int:
        return await workflow.execute_activity(
            fail_until_attempt, succeed_at, start_to_close_timeout=SHORT, retry_policy=attempts(maximum)
        )


@workflow.defn
class NonRetryable:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(fail_for_good, start_to_close_timeout=SHORT)


@workflow.defn
class CauseChain:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(fail_with_cause, start_to_close_timeout=SHORT)


@workflow.defn
class TimedOut:
    @workflow.run
    async def run(self, kind: str) -> None:
        second = timedelta(seconds=1)
        options = {
            "SCHEDULE_TO_START": dict(task_queue="nobody-listens", schedule_to_start_timeout=second, start_to_close_timeout=SHORT),
            "SCHEDULE_TO_CLOSE": dict(schedule_to_close_timeout=second),
            "START_TO_CLOSE": dict(start_to_close_timeout=second, retry_policy=attempts(1)),
            "HEARTBEAT": dict(start_to_close_timeout=SHORT, heartbeat_timeout=second, retry_policy=attempts(1)),
        }[kind]
        await workflow.execute_activity(hang, **options)


@workflow.defn
class HeartbeatDetails:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(resume_from_heartbeat, start_to_close_timeout=SHORT, retry_policy=QUICK)


@workflow.defn
class Cancelled:
    @workflow.run
    async def run(self, accept: bool) -> str:
        return await workflow.execute_activity(
            until_cancelled,
            accept,
            start_to_close_timeout=timedelta(minutes=1),
            heartbeat_timeout=timedelta(seconds=2),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )


@workflow.defn
class Local:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_local_activity(greet, "here", start_to_close_timeout=SHORT)


@workflow.defn
class Napping:
    @workflow.run
    async def run(self, seconds: float) -> float:
        began = workflow.time()
        await asyncio.sleep(seconds)
        return workflow.time() - began


@workflow.defn
class Waiting:
    def __init__(self) -> None:
        self.got: str | None = None

    @workflow.signal
    def go(self, word: str) -> None:
        self.got = word

    @workflow.query
    def state(self) -> str:
        return self.got or "waiting"

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.got is not None)
        return self.got or ""


@workflow.defn
class Parent:
    @workflow.run
    async def run(self, fail: bool) -> str:
        return await workflow.execute_child_workflow(Child.run, fail)


@workflow.defn
class Child:
    @workflow.run
    async def run(self, fail: bool) -> str:
        if fail:
            raise ApplicationError("child fell", type="Fell")
        parent = workflow.info().parent
        assert parent
        return parent.workflow_id


@workflow.defn
class Countdown:
    @workflow.run
    async def run(self, n: int) -> str:
        if n > 0:
            workflow.continue_as_new(n - 1)
        return workflow.info().first_execution_run_id


@workflow.defn
class Forever:
    @workflow.run
    async def run(self) -> None:
        await asyncio.sleep(3600)


@workflow.defn
class Shielded:
    @workflow.run
    async def run(self) -> str:
        try:
            await asyncio.sleep(3600)
            return "never"
        except asyncio.CancelledError:
            return await asyncio.shield(workflow.execute_activity(greet, "clean-up", start_to_close_timeout=SHORT))


@workflow.defn
class Interrupted:
    def __init__(self) -> None:
        self.gone = False

    @workflow.signal
    def go(self) -> None:
        self.gone = True

    @workflow.run
    async def run(self) -> str:
        before = await workflow.execute_activity(greet, "before", start_to_close_timeout=SHORT)
        await workflow.wait_condition(lambda: self.gone)
        return before + await workflow.execute_activity(greet, "after", start_to_close_timeout=SHORT)


@workflow.defn
class Counter:
    """Changed by updates until it is told to end."""

    def __init__(self) -> None:
        self.total = 0
        self.ended = False

    @workflow.run
    async def run(self) -> int:
        await workflow.wait_condition(lambda: self.ended)
        return self.total

    @workflow.update
    def add(self, n: int) -> int:
        if n > 100:
            raise ApplicationError("too much at once")
        self.total += n
        return self.total

    @add.validator
    def validate_add(self, n: int) -> None:
        if n < 0:
            raise ValueError("never negative")

    @workflow.update
    async def greet_and_add(self, n: int) -> str:
        greeting = await workflow.execute_activity(greet, str(n), start_to_close_timeout=SHORT)
        self.total += n
        return greeting

    @workflow.update
    async def end_and_hang(self) -> None:
        self.ended = True
        await workflow.sleep(3600)

    @workflow.signal
    def end(self) -> None:
        self.ended = True


WORKFLOWS = [
    Hello, Retried, NonRetryable, CauseChain, TimedOut, HeartbeatDetails, Cancelled, Local, Napping, Waiting,
    Parent, Child, Countdown, Forever, Shielded, Interrupted, Counter, Ailing, Operated,
]
