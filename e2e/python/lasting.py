"""Workflows with much to remember."""

import asyncio
from datetime import timedelta

from temporalio import activity, workflow

SHORT = timedelta(seconds=30)
MEGABYTE = 1 << 20


@activity.defn
async def add(n: int) -> int:
    return n


@activity.defn
async def weigh(text: str) -> int:
    return len(text)


@workflow.defn
class Diligent:
    """Goes round after round: markers, a timer, an activity, and signals on the way."""

    def __init__(self) -> None:
        self.signals = 0

    @workflow.signal
    def note(self) -> None:
        self.signals += 1

    @workflow.query
    def noted(self) -> int:
        return self.signals

    @workflow.run
    async def run(self, rounds: int) -> list[int]:
        total = 0
        for n in range(rounds):
            for m in range(10):
                workflow.patched(f"change-{n}-{m}" if n < 2 else "change")
            if n % 10 == 0:
                await asyncio.sleep(0.001)
            total += sum(await asyncio.gather(*(
                workflow.execute_activity(add, 1, start_to_close_timeout=SHORT) for _ in range(4))))
        return [total, self.signals]


@workflow.defn
class Spender:
    """Gives activities a megabyte each, all in one workflow task."""

    @workflow.run
    async def run(self, activities: int) -> int:
        return sum(await asyncio.gather(*(
            workflow.execute_activity(weigh, "x" * MEGABYTE, start_to_close_timeout=SHORT) for _ in range(activities))))
