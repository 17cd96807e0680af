"""The life of an activity with the Python SDK: it fails and is retried from its
last heartbeat, then another is cancelled and cleans up; and both once more
without a workflow. Beside "perdure server":

    pip install temporalio && python activity.py
"""

import asyncio
import os
import uuid
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import ActivityFailureError, Client, WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.exceptions import CancelledError
from temporalio.worker import Worker

QUEUE = "example-python"


@activity.defn
async def copy_rows(rows: int) -> str:
    """Copies rows one by one and reports how far it is. The first attempt stumbles half-way."""
    info = activity.info()
    first = done = info.heartbeat_details[0] if info.heartbeat_details else 0
    try:
        while done < rows:
            await asyncio.sleep(0.02)  # the work
            done += 1
            activity.heartbeat(done)
            if info.attempt == 1 and done == rows // 2:
                raise RuntimeError("the disk is busy")
    except asyncio.CancelledError:  # cancelled, paused, timed out, or the worker stops
        print("  cleaning up after row", done)
        raise  # accept; returning a result instead would ignore it
    return f"rows {first + 1} to {rows} copied in attempt {info.attempt}"


@workflow.defn
class Copy:
    @workflow.run
    async def run(self, rows: int) -> str:
        return await workflow.execute_activity(
            copy_rows,
            rows,
            start_to_close_timeout=timedelta(minutes=1),  # one attempt
            heartbeat_timeout=timedelta(seconds=10),  # between two reports
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=100)),
        )


async def main() -> None:
    client = await Client.connect(os.environ.get("TEMPORAL_ADDRESS", "localhost:7233"))
    async with Worker(
        client,
        task_queue=QUEUE,
        workflows=[Copy],
        activities=[copy_rows],
        max_heartbeat_throttle_interval=timedelta(milliseconds=100),
    ):
        print(await client.execute_workflow(Copy.run, 10, id=f"copy-{uuid.uuid4()}", task_queue=QUEUE))
        handle = await client.start_workflow(Copy.run, 1_000_000, id=f"copy-{uuid.uuid4()}", task_queue=QUEUE)
        await handle.cancel()
        try:
            await handle.result()
        except WorkflowFailureError as err:
            assert isinstance(err.cause, CancelledError)
            print("cancelled")
        await alone(client)


async def alone(client: Client) -> None:
    """The same activity without a workflow: a client starts it under an id of its own and waits for its result."""

    async def start(rows: int):
        return await client.start_activity(
            copy_rows,
            rows,
            id="copy-alone",
            task_queue=QUEUE,
            start_to_close_timeout=timedelta(minutes=1),
            heartbeat_timeout=timedelta(seconds=10),
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=100)),
        )

    print("alone:", await (await start(10)).result())
    await start(1_000_000)  # the id is free again
    handle = client.get_activity_handle("copy-alone")  # whoever knows it can describe it, cancel it, wait for it
    await handle.cancel(reason="changed my mind")
    try:
        await handle.result()
    except ActivityFailureError as err:
        assert isinstance(err.cause, CancelledError)
        print("alone: cancelled")


if __name__ == "__main__":  # the SDK's sandbox imports this file once more
    asyncio.run(main())
