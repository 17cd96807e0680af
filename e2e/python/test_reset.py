"""Resets, as the Python SDK (a Core-based SDK) takes them: what was applied again reaches the code."""

import uuid

import definitions as d
import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, ResetReapplyExcludeType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import TerminatedError
from test_suite import client, start  # noqa: F401  (client is a fixture)


async def first_completion(handle) -> int:
    async for e in handle.fetch_history_events(wait_new_event=True):
        if e.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
            return e.event_id
    raise AssertionError("the workflow has ended")


async def reset(client, handle, at: int, **more) -> str:  # noqa: F811
    request = ResetWorkflowExecutionRequest(
        namespace="default",
        workflow_execution=WorkflowExecution(workflow_id=handle.id, run_id=handle.first_execution_run_id),
        reason="for the test",
        request_id=str(uuid.uuid4()),
        workflow_task_finish_event_id=at,
        **more,
    )
    made = (await client.workflow_service.reset_workflow_execution(request)).run_id
    again = (await client.workflow_service.reset_workflow_execution(request)).run_id
    assert made == again
    return made


async def test_updates_and_signals_come_again(client):  # noqa: F811
    handle = await start(client, d.Counter.run)
    at = await first_completion(handle)
    assert await handle.execute_update(d.Counter.add, 1, id="u1") == 1
    assert await handle.execute_update(d.Counter.greet_and_add, 2, id="u2") == "Hello, 2!"
    made = await reset(client, handle, at)
    now = client.get_workflow_handle_for(d.Counter.run, handle.id, run_id=made)
    # The same update joins what was applied again, and a new one finds its effect.
    assert await now.execute_update(d.Counter.add, 1, id="u1") == 1
    assert await now.execute_update(d.Counter.greet_and_add, 2, id="u2") == "Hello, 2!"
    assert await now.execute_update(d.Counter.add, 4, id="u3") == 7
    await now.signal(d.Counter.end)
    assert await now.result() == 7
    with pytest.raises(WorkflowFailureError) as e:
        await client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id).result(follow_runs=False)
    assert isinstance(e.value.cause, TerminatedError)

    # From the first run once more: its end comes again, too, unless it is left out.
    made = await reset(client, handle, at, reset_reapply_exclude_types=[ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE])
    now = client.get_workflow_handle_for(d.Counter.run, handle.id, run_id=made)
    assert await now.execute_update(d.Counter.add, 5) == 5
    await now.signal(d.Counter.end)
    assert await now.result() == 5


async def test_a_closed_workflow_goes_on(client):  # noqa: F811
    handle = await start(client, d.Waiting.run)
    at = await first_completion(handle)
    await handle.signal(d.Waiting.go, "first")
    assert await handle.result() == "first"
    made = await reset(client, handle, at, reset_reapply_exclude_types=[ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL])
    now = client.get_workflow_handle_for(d.Waiting.run, handle.id, run_id=made)
    assert await now.query(d.Waiting.state) == "waiting"
    await now.signal(d.Waiting.go, "second")
    assert await now.result() == "second"
    described = (await now.describe()).raw_description.workflow_extended_info
    assert described.HasField("last_reset_time") and described.original_start_time.seconds > 0
