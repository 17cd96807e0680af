// Resets, as the TypeScript SDK (Core) takes them. It has no call for them: the raw service is used.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { Client, Connection, WorkflowFailedError, WorkflowHandle } from '@temporalio/client';
import { TerminatedFailure } from '@temporalio/common';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import * as activities from './activities';
import { Server } from './harness';
import * as workflows from './reset.workflows';

const taskQueue = 'resets';
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
  worker = await Worker.create({
    connection: native, taskQueue, activities, workflowsPath: require.resolve('./reset.workflows'), shutdownGraceTime: 100,
  });
  running = worker.run();
});

after(async () => {
  worker?.shutdown();
  await running;
  await native?.close();
  await connection?.close();
  await server?.stop();
});

// The ids of a run's completed workflow tasks, once there are so many.
async function completions(handle: WorkflowHandle, n: number): Promise<number[]> {
  for (;;) {
    const { events } = await handle.fetchHistory();
    const ids = events!.filter((e) => e.workflowTaskCompletedEventAttributes).map((e) => Number(e.eventId));
    if (ids.length >= n) return ids;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

async function reset(workflowId: string, runId: string, at: number): Promise<WorkflowHandle> {
  const made = await client.workflowService.resetWorkflowExecution({
    namespace: 'default', workflowExecution: { workflowId, runId }, reason: 'for the test', requestId: randomUUID(),
    workflowTaskFinishEventId: at as never,
  });
  return client.workflow.getHandle(workflowId, made.runId);
}

test('signals and updates come again, and activities done before do not', async () => {
  const handle = await client.workflow.start(workflows.gather, { taskQueue, workflowId: 'gather' });
  const at = (await completions(handle, 2))[1];
  await handle.signal('item', 'a');
  assert.equal(await handle.executeUpdate<number, [string]>('note', { args: ['b'], updateId: 'u1' }), 3);
  const now = await reset('gather', handle.firstExecutionRunId, at);
  await now.executeUpdate<number, [string]>('note', { args: ['b'], updateId: 'u1' }); // joins what was applied again
  await now.signal('end');
  assert.deepEqual([...((await now.result()) as string[])].sort(), ['Hello, you!', 'a', 'b']); // the SDK has its own order for them
  const { events } = await now.fetchHistory();
  assert.equal(events!.filter((e) => e.activityTaskScheduledEventAttributes).length, 1);
  const base = client.workflow.getHandle('gather', handle.firstExecutionRunId, { followRuns: false } as never);
  await assert.rejects(base.result(), (err: unknown) => err instanceof WorkflowFailedError && err.cause instanceof TerminatedFailure);
});

test('a child stays connected, and randomness begins anew', async () => {
  const handle = await client.workflow.start(workflows.parent, { taskQueue, workflowId: 'parent' });
  const ids = await completions(handle, 3);
  const now = await reset('parent', handle.firstExecutionRunId, ids[2]);
  await client.workflow.getHandle('parent-child').signal('word', 'hello');
  const [word, id] = (await now.result()) as string[];
  assert.equal(word, 'hello');
  assert.match(id, /^[0-9a-f-]{36}$/);
  const described = await now.describe();
  assert.equal(described.status.name, 'COMPLETED');
});
