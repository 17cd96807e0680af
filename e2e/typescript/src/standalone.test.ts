// Activities that stand alone (spec activity.md 11), through the TypeScript SDK.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import {
  ActivityExecutionAlreadyStartedError,
  ActivityExecutionDescription,
  ActivityExecutionFailedError,
  ActivityHandle,
  ActivityOptions,
  ApplicationFailure,
  CancelledFailure,
  Client,
  Connection,
  TerminatedFailure,
  TimeoutFailure,
  isGrpcServiceError,
} from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { Server } from './harness';
import * as activities from './standalone.activities';

const queue = 'typescript-standalone';
const quick = { initialInterval: 20, backoffCoefficient: 1 };
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
  worker = await Worker.create({ connection: native, taskQueue: queue, activities, maxHeartbeatThrottleInterval: 50, shutdownGraceTime: 100 });
  running = worker.run();
});

after(async () => {
  worker?.shutdown();
  await running;
  await native?.close();
  await connection?.close();
  await server?.stop();
});

let serial = 0;
const start = (activity: keyof typeof activities, args: unknown[], options: Partial<ActivityOptions> = {}): Promise<ActivityHandle> =>
  client.activity.start(activity, {
    id: `${activity}-${++serial}`, taskQueue: queue, startToCloseTimeout: '30s', retry: quick, args, ...options,
  });

async function describedUntil(handle: ActivityHandle, wanted: (d: ActivityExecutionDescription) => boolean): Promise<ActivityExecutionDescription> {
  for (;;) {
    const description = await handle.describe({ includeHeartbeatDetails: true });
    if (wanted(description)) return description;
    await pause(50);
  }
}
const beats = (d: ActivityExecutionDescription) => Boolean(d.rawInfo.lastHeartbeatTime);

// What the activity failed of, as the client shows it.
async function failure(handle: ActivityHandle): Promise<Error> {
  try {
    await handle.result();
  } catch (err) {
    assert.ok(err instanceof ActivityExecutionFailedError, String(err));
    return err.cause!;
  }
  throw new assert.AssertionError({ message: 'the activity did not fail' });
}

test('standalone activity', async () => {
  const handle = await start('introduce', ['Hello'], { summary: 'a greeting' });
  assert.equal(await handle.result(), `Hello, this is attempt 1 of ${handle.activityId}`);
  const d = await handle.describe({ includeInput: true, includeOutcome: true });
  assert.equal(d.status, 'COMPLETED');
  assert.equal(d.rawInfo.runId, handle.runId);
  assert.equal(d.rawInfo.sdkName, 'temporal-typescript');
  const listed = [];
  for await (const info of client.activity.list(`ActivityId = '${handle.activityId}' AND ActivityType = 'introduce'`)) listed.push(info);
  assert.deepEqual(listed.map((info) => [info.activityId, info.status]), [[handle.activityId, 'COMPLETED']]);
  const { count, groups } = await client.activity.count(`ActivityId = '${handle.activityId}' GROUP BY ExecutionStatus`);
  assert.equal(count, 1);
  assert.deepEqual(groups!.map((g) => (g.groupValues as unknown[]).flat()), [['Completed']]);
  assert.equal((await client.workflow.count(`WorkflowId = '${handle.activityId}'`)).count, 0);
});

test('standalone retries', async () => {
  assert.deepEqual(await (await start('stumble', [2])).result(), [1, 2, 3]);
  const err = await failure(await start('stumble', [5], { retry: { ...quick, maximumAttempts: 2 } }));
  assert.ok(err instanceof ApplicationFailure);
  assert.deepEqual([err.type, err.message], ['Stumbled', 'attempt 2']);
});

test('standalone has no time limit', async () => {
  const handle = await start('stumble', [12]);
  assert.equal((await handle.result()).length, 13);
  const { rawInfo } = await handle.describe();
  assert.ok(rawInfo.scheduleToCloseTimeout);
  assert.ok(!rawInfo.scheduleToCloseTimeout.seconds?.toNumber() && !rawInfo.expirationTime);
});

test('standalone times out', async () => {
  const handle = await start('introduce', ['Hello'], { taskQueue: 'typescript-nobody', scheduleToStartTimeout: 100 });
  const err = await failure(handle);
  assert.ok(err instanceof TimeoutFailure);
  assert.equal(err.timeoutType, 'SCHEDULE_TO_START');
});

test('standalone cancellation accepted', async () => {
  const handle = await start('beat', [true], { heartbeatTimeout: '20s' });
  await describedUntil(handle, beats);
  await handle.cancel('changed my mind');
  assert.ok((await failure(handle)) instanceof CancelledFailure);
  assert.equal(activities.told.get(handle.activityId), 'CANCELLED');
  const d = await handle.describe();
  assert.deepEqual([d.status, d.rawInfo.canceledReason], ['CANCELED', 'changed my mind']);
});

test('standalone cancellation ignored', async () => {
  const handle = await start('beat', [false], { heartbeatTimeout: '20s' });
  await describedUntil(handle, beats);
  await handle.cancel('');
  assert.equal(await handle.result(), 'finished all the same');
});

test('standalone cancellation is requested once', async () => {
  const handle = await start('elsewhere', []);
  await describedUntil(handle, (d) => d.runState === 'STARTED');
  const cancel = (requestId: string) =>
    client.workflowService.requestCancelActivityExecution({ namespace: 'default', activityId: handle.activityId, requestId });
  await cancel('first');
  await cancel('first');
  await assert.rejects(cancel('second'), (err) => isGrpcServiceError(err) && err.details === 'cancellation already requested with request ID first');
  await client.activity.reportCancellation({ activityId: handle.activityId });
  assert.ok((await failure(handle)) instanceof CancelledFailure);
  await cancel('first'); // also when it is over
});

test('standalone terminated and deleted', async () => {
  const handle = await start('beat', [true], { heartbeatTimeout: '20s' });
  await describedUntil(handle, beats);
  await handle.terminate('enough');
  const err = await failure(handle);
  assert.ok(err instanceof TerminatedFailure);
  assert.equal(err.message, 'enough');
  while (!activities.told.has(handle.activityId)) await pause(50); // the code is stopped at its next heartbeat
  assert.equal(activities.told.get(handle.activityId), 'NOT_FOUND');
  await client.workflowService.deleteActivityExecution({ namespace: 'default', activityId: handle.activityId });
  await assert.rejects(describedUntil(handle, () => false), /not found/i);
});

test('standalone id policies', async () => {
  const waits = await start('introduce', ['Hello'], { taskQueue: 'typescript-nobody' });
  const id = waits.activityId;
  await assert.rejects(start('introduce', ['Hello'], { id }), (err) => err instanceof ActivityExecutionAlreadyStartedError && err.runId === waits.runId);
  assert.equal((await start('introduce', ['Hello'], { id, idConflictPolicy: 'USE_EXISTING' })).runId, waits.runId);
  await waits.terminate('served');
  await (await start('introduce', ['Hello'], { id, idReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY' })).result();
  for (const idReusePolicy of ['ALLOW_DUPLICATE_FAILED_ONLY', 'REJECT_DUPLICATE'] as const) {
    await assert.rejects(start('introduce', ['Hello'], { id, idReusePolicy }), ActivityExecutionAlreadyStartedError);
  }
});

test('standalone start delay', async () => {
  const handle = await start('introduce', ['Hello'], { startDelay: 500 });
  await handle.result();
  const { rawInfo } = await handle.describe();
  const millis = (t: { seconds?: Long | null; nanos?: number | null }) => Number(t.seconds) * 1000 + (t.nanos ?? 0) / 1e6;
  assert.ok(millis(rawInfo.lastStartedTime!) >= millis(rawInfo.scheduleTime!) + 500);
});
type Long = { toNumber(): number };

test('standalone async completion', async () => {
  const byId = await start('elsewhere', []);
  await describedUntil(byId, (d) => d.runState === 'STARTED');
  await client.activity.heartbeat({ activityId: byId.activityId }, 'half way');
  const d = await describedUntil(byId, beats);
  assert.ok(d.rawInfo.heartbeatDetails);
  await client.activity.complete({ activityId: byId.activityId, runId: byId.runId }, 'by id');
  assert.equal(await byId.result(), 'by id');
  const byToken = await start('elsewhere', []);
  while (!activities.tokens.has(byToken.activityId)) await pause(50);
  await client.activity.complete(activities.tokens.get(byToken.activityId)!, 'by token');
  assert.equal(await byToken.result(), 'by token');
});

test('standalone paused', async () => {
  const handle = await start('beat', [true], { heartbeatTimeout: '20s' });
  await describedUntil(handle, beats);
  await handle.pause({ reason: 'maintenance' });
  const d = await describedUntil(handle, (d) => d.runState === 'PAUSED');
  assert.deepEqual([d.status, d.rawInfo.attempt], ['PAUSED', 2]);
  await handle.unpause({ reason: 'done' });
  assert.equal(await handle.result(), 'attempt 2 after PAUSED');
});

test('standalone reset', async () => {
  const handle = await start('beat', [true], { heartbeatTimeout: '20s' });
  await describedUntil(handle, beats);
  await client.workflowService.resetActivityExecution({ namespace: 'default', activityId: handle.activityId, resetHeartbeat: true });
  assert.equal(await handle.result(), 'attempt 1 after RESET');
});

test('standalone options updated', async () => {
  const handle = await start('stumble', [1], { retry: { initialInterval: '1 hour', maximumInterval: '1 hour' } });
  await describedUntil(handle, (d) => d.rawInfo.attempt === 2);
  const options = await handle.updateOptions({ startToCloseTimeout: '44s' });
  assert.equal(options.startToCloseTimeout, 44_000);
  assert.equal((await handle.restoreOriginalOptions()).startToCloseTimeout, 30_000);
  await handle.updateOptions({ retry: { initialInterval: 1 } });
  assert.deepEqual(await handle.result(), [1, 2]);
});
