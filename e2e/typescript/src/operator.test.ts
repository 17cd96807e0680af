// What operators do to a workflow, and queries in the states of a run, as the TypeScript SDK (Core) shows them.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Client, Connection, QueryNotRegisteredError, QueryRejectedError, ServiceError, WorkflowHandle } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { Server } from './harness';
import * as workflows from './workflows';

const queue = 'operators';
let server: Server;
let connection: Connection;
let native: NativeConnection;
let client: Client;
let worker: Worker;
let running: Promise<void>;

before(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  server = await Server.start();
  connection = await Connection.connect({ address: server.address });
  native = await NativeConnection.connect({ address: server.address });
  client = new Client({ connection });
  worker = await Worker.create({ connection: native, taskQueue: queue, workflowsPath: require.resolve('./workflows'), shutdownGraceTime: 100 });
  running = worker.run();
});

after(async () => {
  worker?.shutdown();
  await running;
  await native?.close();
  await connection?.close();
  await server?.stop();
});

const start = (workflowId: string): Promise<WorkflowHandle> =>
  client.workflow.start(workflows.waiting, { taskQueue: queue, workflowId }) as unknown as Promise<WorkflowHandle>;

// The details of a gRPC error, as text.
async function refusal(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (err) {
    const cause = err instanceof ServiceError ? err.cause : err;
    return (cause as { details?: string }).details ?? String(cause);
  }
  throw new assert.AssertionError({ message: 'it was not refused' });
}

test('a paused workflow', async () => {
  const handle = await start('paused');
  assert.equal(await handle.query('state'), 'waiting');
  const request = { namespace: 'default', workflowId: handle.workflowId, identity: 'operator', reason: 'maintenance', requestId: 'p1' };
  await client.workflowService.pauseWorkflowExecution(request);
  await client.workflowService.pauseWorkflowExecution(request);
  assert.equal(await refusal(client.workflowService.pauseWorkflowExecution({ ...request, requestId: 'p2' })), 'workflow is already paused.');

  const described = await handle.describe();
  assert.equal(described.raw.workflowExtendedInfo?.pauseInfo?.reason, 'maintenance');
  assert.equal(described.status.name, 'PAUSED');
  await assert.rejects(handle.query('state'), QueryRejectedError);
  const update = { updateName: 'any', waitForStage: 'ACCEPTED' } as const;
  assert.equal(await refusal(handle.startUpdate('any', update)), 'Workflow is paused. Cannot update the workflow.');
  await handle.signal('go', 'meanwhile');
  const { events } = await handle.fetchHistory();
  assert.deepEqual(events!.slice(-2).map((e) => !!e.workflowExecutionPausedEventAttributes || !!e.workflowExecutionSignaledEventAttributes), [true, true]);

  const unpause = { namespace: 'default', workflowId: handle.workflowId, requestId: 'u1' };
  await client.workflowService.unpauseWorkflowExecution(unpause);
  await client.workflowService.unpauseWorkflowExecution(unpause);
  // The worker replays pause and unpause, and sees the signal.
  assert.equal(await handle.result(), 'meanwhile');
});

test('options of a workflow', async () => {
  const handle = await start('options');
  const { workflowExecutionOptions } = await client.workflowService.updateWorkflowExecutionOptions({
    namespace: 'default',
    workflowExecution: { workflowId: handle.workflowId },
    workflowExecutionOptions: { priority: { priorityKey: 2 }, versioningOverride: { autoUpgrade: true } },
    updateMask: { paths: ['priority', 'versioningOverride'] },
  });
  assert.equal(workflowExecutionOptions?.priority?.priorityKey, 2);
  await handle.signal('go', 'on');
  assert.equal(await handle.result(), 'on');
  const { raw } = await handle.describe();
  assert.equal(raw.workflowExecutionInfo?.priority?.priorityKey, 2);
  assert.equal(raw.workflowExecutionInfo?.versioningInfo?.versioningOverride?.autoUpgrade, true);
});

test('queries in the states of a run', async () => {
  const careful = (condition: 'NOT_OPEN' | 'NOT_COMPLETED_CLEANLY') =>
    new Client({ connection, workflow: { queryRejectCondition: condition } }).workflow;
  const handle = await start('queried');
  assert.equal(await handle.query('state'), 'waiting');
  await assert.rejects(handle.query('no such query'), QueryNotRegisteredError);
  assert.equal(await careful('NOT_OPEN').getHandle('queried').query('state'), 'waiting');
  await handle.signal('go', 'end');
  assert.equal(await handle.result(), 'end');
  assert.equal(await handle.query('state'), 'end');
  assert.equal(await careful('NOT_COMPLETED_CLEANLY').getHandle('queried').query('state'), 'end');
  await assert.rejects(careful('NOT_OPEN').getHandle('queried').query('state'), QueryRejectedError);

  const ended = await start('terminated');
  assert.equal(await ended.query('state'), 'waiting');
  await ended.terminate();
  assert.equal(await ended.query('state'), 'waiting');
  await assert.rejects(careful('NOT_COMPLETED_CLEANLY').getHandle('terminated').query('state'), QueryRejectedError);

  const nobody = await client.workflow.start('waiting', { taskQueue: 'nobody', workflowId: 'never-begun' });
  await nobody.terminate();
  assert.equal(await refusal(nobody.query('state')), 'Workflow execution closed before WorkflowTaskStarted event');
  const late = await client.workflow.start('waiting', { taskQueue: queue, workflowId: 'late', startDelay: '1 hour' });
  const ask = connection.withDeadline(Date.now() + 3000, () => late.query('state'));
  assert.equal(await refusal(ask), 'Workflow task is not scheduled yet.');
});
