"""Workflows that have many children, or take many signals."""

import asyncio
from datetime import timedelta

from temporalio import activity, workflow

MINUTE = timedelta(minutes=1)


class Gate:
    """A local activity that tells when it runs, and ends when it is let."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.end = asyncio.Event()

    @activity.defn
    async def hold(self) -> None:
        self.began.set()
        await self.end.wait()


@workflow.defn
class Tally:
    """Takes so many signals, and can keep its first workflow task busy before."""

    def __init__(self) -> None:
        self.got: list[int] = []

    @workflow.signal
    def add(self, n: int) -> None:
        self.got.append(n)

    @workflow.run
    async def run(self, signals: int, held: bool) -> list[int]:
        if held:
            await workflow.execute_local_activity_method(Gate.hold, start_to_close_timeout=MINUTE)
        await workflow.wait_condition(lambda: len(self.got) >= signals)
        return self.got


@workflow.defn
class OneOfMany:
    @workflow.run
    async def run(self, n: int) -> int:
        return n


@workflow.defn
class ParentOfMany:
    """Starts its children all at once, and lists what they answer."""

    @workflow.run
    async def run(self, children: int) -> list[int]:
        own = workflow.info().workflow_id
        return await asyncio.gather(*(
            workflow.execute_child_workflow(OneOfMany.run, n, id=f"{own}-{n}") for n in range(children)))
