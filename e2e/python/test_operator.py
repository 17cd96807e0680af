"""What operators do to an activity of a workflow, as the Python SDK shows it (a Core-based SDK)."""

import asyncio
from datetime import timedelta

import definitions as d
from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.activity.v1 import ActivityOptions
from temporalio.api.common.v1 import RetryPolicy, WorkflowExecution
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflowservice.v1 import (
    PauseActivityRequest,
    ResetActivityRequest,
    UnpauseActivityRequest,
    UpdateActivityOptionsRequest,
)
from test_suite import client, start  # noqa: F401  (client is a fixture)


async def pending_until(handle, wanted):
    while True:
        for a in (await handle.describe()).raw_description.pending_activities:
            if wanted(a):
                return a
        await asyncio.sleep(0.05)


def target(handle, activity, **more):
    return {"namespace": "default", "execution": WorkflowExecution(workflow_id=handle.id), "id": activity.activity_id, **more}


def is_paused(activity) -> bool:
    return activity.state == PendingActivityState.PENDING_ACTIVITY_STATE_PAUSED


async def test_pause_a_retrying_activity(client):  # noqa: F811
    handle = await start(client, d.Ailing.run, 0.02)
    activity = await pending_until(handle, lambda a: a.attempt > 1)
    await client.workflow_service.pause_activity(PauseActivityRequest(**target(handle, activity, identity="operator", reason="maintenance")))
    paused = await pending_until(handle, is_paused)
    assert paused.pause_info.manual.reason == "maintenance"
    # Meanwhile another one of the same kind gets through ten of its back-offs.
    other = await start(client, d.Ailing.run, 0.02)
    await pending_until(other, lambda a: a.attempt > 10)
    await other.terminate()
    assert (await pending_until(handle, is_paused)).attempt == paused.attempt
    d.HEALED.add(handle.id)
    await client.workflow_service.unpause_activity(UnpauseActivityRequest(**target(handle, activity)))
    assert await handle.result() == paused.attempt


async def test_pause_a_running_activity(client):  # noqa: F811
    handle = await start(client, d.Operated.run)
    activity = await pending_until(handle, lambda a: a.HasField("last_heartbeat_time"))
    await client.workflow_service.pause_activity(PauseActivityRequest(**target(handle, activity)))
    assert (await pending_until(handle, is_paused)).attempt == 2
    await client.workflow_service.unpause_activity(UnpauseActivityRequest(**target(handle, activity, reset_attempts=True)))
    assert await handle.result() == "attempt 1 after paused"


async def test_reset_a_running_activity(client):  # noqa: F811
    handle = await start(client, d.Operated.run)
    activity = await pending_until(handle, lambda a: a.HasField("last_heartbeat_time"))
    await client.workflow_service.reset_activity(ResetActivityRequest(**target(handle, activity)))
    assert await handle.result() == "attempt 2 after reset"


async def test_update_activity_options(client):  # noqa: F811
    handle = await start(client, d.Ailing.run, 3600.0)
    activity = await pending_until(handle, lambda a: a.attempt == 2)
    policy = RetryPolicy()
    policy.initial_interval.FromTimedelta(timedelta(milliseconds=1))
    d.HEALED.add(handle.id)
    answer = await client.workflow_service.update_activity_options(
        UpdateActivityOptionsRequest(
            **target(
                handle,
                activity,
                activity_options=ActivityOptions(retry_policy=policy),
                update_mask=FieldMask(paths=["retry_policy.initial_interval"]),
            )
        )
    )
    assert answer.activity_options.retry_policy.initial_interval.ToTimedelta() == timedelta(milliseconds=1)
    assert await handle.result() == 2
