"""What one run may have much of, through the Python SDK (a Core-based SDK): buffered events, children, signals."""

import asyncio
import uuid
from contextlib import asynccontextmanager

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

import many as d
from test_suite import client  # noqa: F401  (client is a fixture)

BUFFERED = 20  # well below the hundred at which the server ends the workflow task
CHILDREN = 200
SIGNALS = 2_000
SENDERS = 32

SIGNALED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
CHILD_COMPLETED = EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED
TASK_COMPLETED = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED


@asynccontextmanager
async def working(client: Client):  # noqa: F811
    gate, queue = d.Gate(), f"python-many-{uuid.uuid4()}"
    async with Worker(client, task_queue=queue, workflows=[d.Tally, d.OneOfMany, d.ParentOfMany], activities=[gate.hold]):
        try:
            yield gate, queue
        finally:
            gate.end.set()


async def kinds(handle: WorkflowHandle) -> list[int]:
    return [event.event_type async for event in handle.fetch_history_events()]


async def test_buffered_signals(client: Client):  # noqa: F811
    """Signals sent while a worker has the workflow task come into history after it, in their order."""
    async with working(client) as (gate, queue):
        handle = await client.start_workflow(d.Tally.run, args=[BUFFERED, True], id=queue, task_queue=queue, task_timeout=d.MINUTE)
        await asyncio.wait_for(gate.began.wait(), 30)
        for n in range(BUFFERED):
            await handle.signal(d.Tally.add, n)
        assert SIGNALED not in await kinds(handle)
        gate.end.set()
        assert await handle.result() == list(range(BUFFERED))
        history = await kinds(handle)
        assert history.count(SIGNALED) == BUFFERED
        assert history.index(TASK_COMPLETED) < history.index(SIGNALED)


async def test_many_children(client: Client):  # noqa: F811
    """Each child is started once, and each is heard of."""
    async with working(client) as (_, queue):
        handle = await client.start_workflow(d.ParentOfMany.run, CHILDREN, id=queue, task_queue=queue)
        assert await handle.result() == list(range(CHILDREN))
        assert (await kinds(handle)).count(CHILD_COMPLETED) == CHILDREN


async def test_many_signals(client: Client):  # noqa: F811
    """Many senders at a time: the worker sees each signal once, and those of one sender in order."""
    async with working(client) as (_, queue):
        handle = await client.start_workflow(d.Tally.run, args=[SIGNALS, False], id=queue, task_queue=queue)

        async def send(sender: int) -> None:
            for n in range(sender, SIGNALS, SENDERS):
                await handle.signal(d.Tally.add, n)

        await asyncio.gather(*(send(sender) for sender in range(SENDERS)))
        got = await handle.result()
        assert sorted(got) == list(range(SIGNALS))
        for sender in range(SENDERS):
            assert [n for n in got if n % SENDERS == sender] == list(range(sender, SIGNALS, SENDERS))
        assert (await kinds(handle)).count(SIGNALED) == SIGNALS
        with pytest.raises(RPCError) as refused:
            await handle.signal(d.Tally.add, SIGNALS)
        assert refused.value.status == RPCStatusCode.NOT_FOUND
