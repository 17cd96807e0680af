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

// How often the cancellation of an activity was requested, by the history.
async function requests(handle: WorkflowHandle): Promise<number> {
  const { events } = await handle.fetchHistory();
  return events!.filter((e) => e.activityTaskCancelRequestedEventAttributes).length;
}

test('cancelling twice is one request', () =>
  working('twice', async () => {
    const handle = await start('persisting', 'twice', 'WAIT_CANCELLATION_COMPLETED');
    await until(() => activities.begun.has('twice'));
    await handle.cancel();
    while ((await requests(handle)) === 0) await pause(50);
    await handle.cancel();
    const beats = new Set<string>();
    while (beats.size < 5) { // each answer carries the flag
      const { raw } = await handle.describe();
      const { seconds, nanos } = raw.pendingActivities![0].lastHeartbeatTime!;
      beats.add(`${seconds}.${nanos}`);
      await pause(30);
    }
    activities.released.add('twice');
    assert.equal(await handle.result(), 'cancelled 1 times');
    assert.equal(await requests(handle), 1);
  }));

test('abandon requests nothing', () =>
  working('abandoned', async () => {
    const handle = await start('persisting', 'abandoned', 'ABANDON');
    await until(() => activities.begun.has('abandoned'));
    await handle.cancel();
    await assert.rejects(handle.result(), (err: WorkflowFailedError) => err.cause instanceof CancelledFailure);
    assert.equal(await requests(handle), 0);
    activities.released.add('abandoned');
  }));

// The one pending activity, once it is as wanted.
async function pending(handle: WorkflowHandle, wanted: (a: PendingActivity) => boolean): Promise<PendingActivity> {
  for (;;) {
    const found = (await handle.describe()).raw.pendingActivities?.find(wanted);
    if (found) return found;
    await pause(50);
  }
}
type PendingActivity = NonNullable<Awaited<ReturnType<WorkflowHandle['describe']>>['raw']['pendingActivities']>[number];
const PAUSED = 4; // PendingActivityState.PAUSED

test('an operator pauses an activity', () =>
  working('paused', async () => {
    const handle = await start('listening', 'paused', true, '20s');
    const { activityId } = await pending(handle, (a) => Boolean(a.lastHeartbeatTime));
    const target = { namespace: 'default', execution: { workflowId: 'paused' }, id: activityId };
    await client.workflowService.pauseActivity({ ...target, identity: 'operator', reason: 'maintenance' });
    const paused = await pending(handle, (a) => a.state === PAUSED);
    assert.equal(paused.pauseInfo!.manual!.reason, 'maintenance');
    assert.equal(paused.attempt, 2);
    await client.workflowService.unpauseActivity({ ...target, resetAttempts: false });
    assert.equal(await handle.result(), 'attempt 2 after PAUSED');
  }));

test('an operator resets an activity', () =>
  working('reset', async () => {
    const handle = await start('listening', 'reset', true, '20s');
    const { activityId } = await pending(handle, (a) => Boolean(a.lastHeartbeatTime));
    await client.workflowService.resetActivity({ namespace: 'default', execution: { workflowId: 'reset' }, id: activityId });
    assert.equal(await handle.result(), 'attempt 2 after RESET');
  }));

test('an operator changes the options of an activity', () =>
  working('options', async () => {
    const handle = await start('listening', 'options', true, '20s');
    const { activityId } = await pending(handle, (a) => Boolean(a.lastHeartbeatTime));
    const { activityOptions } = await client.workflowService.updateActivityOptions({
      namespace: 'default', execution: { workflowId: 'options' }, id: activityId,
      activityOptions: { startToCloseTimeout: { nanos: 1000 } }, updateMask: { paths: ['start_to_close_timeout'] },
    });
    assert.equal(activityOptions!.startToCloseTimeout!.nanos, 1000); // the running attempt is late by now
    assert.equal((await pending(handle, (a) => a.attempt! > 1)).lastFailure!.message, 'activity StartToClose timeout');
    await handle.terminate();
  }));

test('local activity is cancelled', () =>
  working('local', async () => {
    const handle = await start('locally', 'local');
    await until(() => activities.told.has('local'));
    await handle.cancel();
    await assert.rejects(handle.result(), (err: WorkflowFailedError) => err.cause instanceof CancelledFailure);
    assert.equal(activities.told.get('local'), 'CANCELLED');
  }));
