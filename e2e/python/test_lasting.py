"""Long histories and large workflow tasks, through the Python SDK (a Core-based SDK)."""

import asyncio
import uuid

import lasting as d
from temporalio.client import Client
from temporalio.worker import Worker
from test_suite import client  # noqa: F401  (client is a fixture)

QUEUE = "python-lasting"


def worker(client: Client, cached: int) -> Worker:  # noqa: F811
    return Worker(
        client,
        task_queue=f"{QUEUE}-{cached}",
        workflows=[d.Diligent, d.Spender],
        activities=[d.add, d.weigh],
        max_cached_workflows=cached,
        max_concurrent_workflow_tasks=2 if cached == 1 else None,
    )


async def test_long_history_without_a_cache(client: Client):  # noqa: F811
    """Each workflow task, and each query, replays the whole history."""
    async with worker(client, 0):
        handle = await client.start_workflow(d.Diligent.run, 30, id=f"w-{uuid.uuid4()}", task_queue=f"{QUEUE}-0")
        for _ in range(20):
            await handle.signal(d.Diligent.note)
            await asyncio.sleep(0)
        assert await handle.query(d.Diligent.noted) <= 20
        total, signals = await handle.result()
        assert (total, signals) == (120, 20)
        assert await handle.query(d.Diligent.noted) == 20
        assert (await handle.describe()).history_length > 400


async def test_runs_that_push_each_other_out_of_a_small_cache(client: Client):  # noqa: F811
    """Of four runs at a time the worker holds one."""
    async with worker(client, 1):
        handles = [
            await client.start_workflow(d.Diligent.run, 12, id=f"w-{uuid.uuid4()}", task_queue=f"{QUEUE}-1") for _ in range(4)
        ]
        for handle in handles:
            await handle.signal(d.Diligent.note)
        assert [await handle.result() for handle in handles] == [[48, 1]] * 4


async def test_megabytes_in_one_workflow_task(client: Client):  # noqa: F811
    async with worker(client, 100):
        total = await client.execute_workflow(d.Spender.run, 8, id=f"w-{uuid.uuid4()}", task_queue=f"{QUEUE}-100")
        assert total == 8 * d.MEGABYTE
