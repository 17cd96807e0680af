// Why an activity is stopped, as the TypeScript SDK tells it (spec activity.md 7.2).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { ActivityFailure, CancelledFailure, Client, Connection, TimeoutFailure, WorkflowFailedError, WorkflowHandle } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker, WorkflowBundle, bundleWorkflowCode } from '@temporalio/worker';
import { Server } from './harness';
import * as activities from './reasons.activities';

let server: Server;
let connection: Connection;
let native: NativeConnection;
let client: Client;
let bundle: WorkflowBundle;

before(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  server = await Server.start();
  connection = await Connection.connect({ address: server.address });
  native = await NativeConnection.connect({ address: server.address });
  client = new Client({ connection });
  bundle = await bundleWorkflowCode({ workflowsPath: require.resolve('./reasons.workflows'), logger: new DefaultLogger('ERROR') });
});

after(async () => {
  await native?.close();
  await connection?.close();
  await server?.stop();
});

// Runs what is given beside a worker of its own on the queue.
async function working<T>(taskQueue: string, what: () => Promise<T>): Promise<T> {
  const worker = await Worker.create({
    connection: native, taskQueue, workflowBundle: bundle, activities,
    maxHeartbeatThrottleInterval: 50, shutdownGraceTime: 100,
  });
  return worker.runUntil(what);
}

const start = (workflow: string, taskQueue: string, ...args: unknown[]) =>
  client.workflow.start(workflow, { taskQueue, workflowId: taskQueue, args });

async function untilHeartbeat(handle: WorkflowHandle): Promise<void> {
  for (;;) {
    const { raw } = await handle.describe();
    if (raw.pendingActivities?.some((a) => a.lastHeartbeatTime)) return;
    await pause(50);
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await pause(50);
}

test('closed workflow is NOT_FOUND', () =>
  working('closed', async () => {
    const handle = await start('listening', 'closed', true, '20s', 1);
    await untilHeartbeat(handle);
    await handle.terminate();
    await until(() => activities.told.has('closed'));
    assert.equal(activities.told.get('closed'), 'NOT_FOUND');
  }));

test('silence is TIMED_OUT', () =>
  working('late', async () => {
    const handle = await start('listening', 'late', false, '1s', 1);
    await assert.rejects(handle.result(), (err: WorkflowFailedError) =>
      err.cause instanceof ActivityFailure && err.cause.cause instanceof TimeoutFailure);
    await until(() => activities.told.has('late')); // five seconds later, by the SDK itself
    assert.equal(activities.told.get('late'), 'TIMED_OUT');
  }));

test('worker shutdown is retried elsewhere', async () => {
  const handle = await working('shutdown', async () => {
    const begun = await start('listening', 'shutdown', true, '20s');
    await untilHeartbeat(begun);
    return begun;
  });
  await working('shutdown', async () => assert.equal(await handle.result(), 'attempt 2 after WORKER_SHUTDOWN'));
});

test('unconvertible heartbeat details fail the attempt', () =>
  working('unspeakable', async () => {
    const handle = await start('speaking', 'unspeakable');
    assert.equal(await handle.result(), 'attempt 2 after HEARTBEAT_DETAILS_CONVERSION_FAILED');
  }));

test('local activity is cancelled', () =>
  working('local', async () => {
    const handle = await start('locally', 'local');
    await until(() => activities.told.has('local'));
    await handle.cancel();
    await assert.rejects(handle.result(), (err: WorkflowFailedError) => err.cause instanceof CancelledFailure);
    assert.equal(activities.told.get('local'), 'CANCELLED');
  }));
