"""Queries in the states that a run can be in, as the Python SDK shows them (a Core-based SDK)."""

import asyncio
import uuid
from datetime import timedelta

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.workflowservice.v1 import (
    PauseWorkflowExecutionRequest,
    QueryWorkflowRequest,
    UnpauseWorkflowExecutionRequest,
)
from temporalio.client import WorkflowQueryRejectedError
from temporalio.common import QueryRejectCondition
from temporalio.service import RPCError, RPCStatusCode

import definitions as d
from test_suite import QUEUE, client, start, working  # noqa: F401  (client is a fixture)

NOT_OPEN = QueryRejectCondition.NOT_OPEN
NOT_COMPLETED_CLEANLY = QueryRejectCondition.NOT_COMPLETED_CLEANLY


def state(handle, condition=None):
    return handle.query(d.Waiting.state, reject_condition=condition)


async def test_query_of_an_open_and_a_completed_run(client):  # noqa: F811
    handle = await start(client, d.Waiting.run)
    assert await state(handle, NOT_OPEN) == "waiting"
    await handle.signal(d.Waiting.go, "end")
    assert await handle.result() == "end"
    assert await state(handle) == "end"
    assert await state(handle, NOT_COMPLETED_CLEANLY) == "end"
    with pytest.raises(WorkflowQueryRejectedError):
        await state(handle, NOT_OPEN)


async def test_query_of_a_terminated_run(client):  # noqa: F811
    handle = await start(client, d.Waiting.run)
    assert await state(handle) == "waiting"
    await handle.terminate()
    assert await state(handle) == "waiting"
    with pytest.raises(WorkflowQueryRejectedError):
        await state(handle, NOT_COMPLETED_CLEANLY)


async def test_query_of_a_run_that_was_terminated_before_its_worker_heard_a_signal(client):  # noqa: F811
    queue = f"absent-{uuid.uuid4()}"
    handle = await client.start_workflow(d.Waiting.run, id=queue, task_queue=queue)
    async with working(client, queue):
        assert await state(handle) == "waiting"
    await handle.signal(d.Waiting.go, "end")
    await handle.terminate()
    async with working(client, queue):
        assert await state(handle) in ("waiting", "end")


async def test_query_of_a_paused_run(client):  # noqa: F811
    handle = await start(client, d.Waiting.run)
    assert await state(handle) == "waiting"
    service = client.workflow_service
    await service.pause_workflow_execution(
        PauseWorkflowExecutionRequest(namespace="default", workflow_id=handle.id, request_id=str(uuid.uuid4())))
    # Asked over the raw service: this SDK's list of statuses ends before PAUSED.
    answer = await service.query_workflow(
        QueryWorkflowRequest(namespace="default", execution=WorkflowExecution(workflow_id=handle.id), query=WorkflowQuery(query_type="state")))
    assert answer.query_rejected.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED
    await handle.signal(d.Waiting.go, "after the pause")
    await service.unpause_workflow_execution(
        UnpauseWorkflowExecutionRequest(namespace="default", workflow_id=handle.id, request_id=str(uuid.uuid4())))
    assert await handle.result() == "after the pause"


async def test_query_before_the_first_workflow_task(client):  # noqa: F811
    late = await client.start_workflow(
        d.Waiting.run, id=f"late-{uuid.uuid4()}", task_queue=QUEUE, start_delay=timedelta(hours=1))
    with pytest.raises(RPCError, match="Workflow task is not scheduled yet."):
        await late.query(d.Waiting.state, rpc_timeout=timedelta(seconds=3))
    await late.terminate()
    with pytest.raises(RPCError, match="Workflow execution closed before WorkflowTaskStarted event"):
        await state(late)


async def test_query_waits_for_a_worker(client):  # noqa: F811
    queue = f"nobody-{uuid.uuid4()}"
    handle = await client.start_workflow(d.Waiting.run, id=queue, task_queue=queue)
    with pytest.raises(RPCError) as refused:
        await handle.query(d.Waiting.state, rpc_timeout=timedelta(seconds=1))
    assert refused.value.status in (RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED)  # the client gives up
    asked = asyncio.create_task(state(handle))
    async with working(client, queue):
        assert await asked == "waiting"
        await handle.terminate()
