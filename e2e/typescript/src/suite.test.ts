import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  ChildWorkflowFailure,
  Client,
  Connection,
  QueryNotRegisteredError,
  TerminatedFailure,
  TimeoutFailure,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  WorkflowHandle,
  WithStartWorkflowOperation,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateStage,
} from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker, WorkflowBundle, bundleWorkflowCode } from '@temporalio/worker';
import { RetryState } from '@temporalio/common';
import * as activities from './activities';
import { Server } from './harness';
import * as workflows from './workflows';

const queue = 'typescript';
let server: Server;
let connection: Connection;
let native: NativeConnection;
let client: Client;
let bundle: WorkflowBundle;
let worker: Worker;
let running: Promise<void>;

async function work(): Promise<void> {
  worker = await Worker.create({
    connection: native,
    taskQueue: queue,
    workflowBundle: bundle,
    activities,
    maxHeartbeatThrottleInterval: 50,
    shutdownGraceTime: 100,
  });
  running = worker.run();
}

let serial = 0;
async function start(workflow: string, ...args: unknown[]): Promise<WorkflowHandle> {
  return client.workflow.start(workflow, { taskQueue: queue, workflowId: `${workflow}-${++serial}`, args });
}
const run = async (workflow: string, ...args: unknown[]) => (await start(workflow, ...args)).result();

// The failure a workflow ended with, as the client shows it.
async function failure(result: Promise<unknown>): Promise<Error> {
  try {
    await result;
  } catch (err) {
    assert.ok(err instanceof WorkflowFailedError, String(err));
    return err.cause!;
  }
  throw new assert.AssertionError({ message: 'the workflow did not fail' });
}

before(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  server = await Server.start();
  connection = await Connection.connect({ address: server.address });
  native = await NativeConnection.connect({ address: server.address });
  client = new Client({ connection });
  bundle = await bundleWorkflowCode({ workflowsPath: require.resolve('./workflows'), logger: new DefaultLogger('ERROR') });
  await work();
});

after(async () => {
  worker?.shutdown();
  await running;
  await native?.close();
  await connection?.close();
  await server?.stop();
});

describe('activities', () => {
  test('hello', async () => assert.equal(await run('hello', 'world'), 'Hello, world!'));

  test('retries to success', async () => assert.equal(await run('retried', 3, 5), 3));

  test('exhausts its retries', async () => {
    const err = await failure(run('retried', 3, 2));
    assert.ok(err instanceof ActivityFailure);
    assert.equal(err.retryState, RetryState.MAXIMUM_ATTEMPTS_REACHED);
    assert.equal(err.cause!.message, 'attempt 2');
  });

  test('non-retryable failure', async () => {
    const err = await failure(run('nonRetryable'));
    assert.ok(err instanceof ActivityFailure);
    assert.equal(err.retryState, RetryState.NON_RETRYABLE_FAILURE);
    const cause = err.cause as ApplicationFailure;
    assert.equal(cause.type, 'Never');
    assert.deepEqual(cause.details, ['detail']);
  });

  test('chain of causes', async () => {
    const err = await failure(run('causeChain'));
    const outer = err.cause as ApplicationFailure;
    assert.equal(outer.type, 'Outer');
    assert.equal(outer.cause!.message, 'inner');
  });

  for (const kind of ['SCHEDULE_TO_START', 'SCHEDULE_TO_CLOSE', 'START_TO_CLOSE', 'HEARTBEAT']) {
    test(`times out: ${kind}`, async () => {
      const err = await failure(run('timedOut', kind));
      assert.ok(err instanceof ActivityFailure);
      assert.ok(err.cause instanceof TimeoutFailure, String(err.cause));
      assert.equal(err.cause.timeoutType, kind);
    });
  }

  test('heartbeat details survive a retry', async () => assert.equal(await run('heartbeatDetails'), 'got this far'));

  const cancelOnceStarted = async (handle: WorkflowHandle) => {
    for (;;) {
      const { raw } = await handle.describe();
      if (raw.pendingActivities?.some((a) => a.lastHeartbeatTime)) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await handle.cancel();
  };

  test('cancellation accepted', async () => {
    const handle = await start('cancelled', true);
    await cancelOnceStarted(handle);
    assert.ok((await failure(handle.result())) instanceof CancelledFailure);
    const { events } = await handle.fetchHistory();
    assert.ok(events!.some((e) => e.activityTaskCanceledEventAttributes));
  });

  test('cancellation ignored', async () => {
    const handle = await start('cancelled', false);
    await cancelOnceStarted(handle);
    assert.equal(await handle.result(), 'finished anyway: CANCELLED');
  });

  test('cancellation not waited for', async () => {
    const handle = await start('tryCancel');
    await cancelOnceStarted(handle);
    assert.ok((await failure(handle.result())) instanceof CancelledFailure);
  });

  test('local activity', async () => assert.equal(await run('local', 'here'), 'Hello, here!'));
});

describe('workflows', () => {
  test('timer', async () => assert.ok((await run('napping', 700)) >= 700));

  test('signal and query', async () => {
    const handle = await start('waiting');
    assert.equal(await handle.query('state'), 'waiting');
    await assert.rejects(handle.query('no such query'), QueryNotRegisteredError);
    await handle.signal('go', 'now');
    assert.equal(await handle.result(), 'now');
    assert.equal(await handle.query('state'), 'now');
  });

  test('signal with start', async () => {
    const options = { taskQueue: queue, workflowId: 'signal-with-start', signal: workflows.go, signalArgs: ['both'] as [string] };
    const handle = await client.workflow.signalWithStart(workflows.waiting, options);
    assert.equal(await handle.result(), 'both');
  });

  test('child', async () => {
    const handle = await start('parent', false);
    assert.equal(await handle.result(), handle.workflowId);
    const err = await failure(run('parent', true));
    assert.ok(err instanceof ChildWorkflowFailure);
    assert.equal((err.cause as ApplicationFailure).type, 'Fell');
  });

  test('continue as new', async () => {
    const handle = await start('countdown', 3);
    const first = (handle as unknown as { firstExecutionRunId: string }).firstExecutionRunId;
    assert.equal(await handle.result(), first);
  });

  test('cancel', async () => {
    const handle = await start('forever');
    await handle.cancel();
    assert.ok((await failure(handle.result())) instanceof CancelledFailure);
  });

  test('shielded clean-up', async () => {
    const handle = await start('shielded');
    await handle.cancel();
    assert.equal(await handle.result(), 'Hello, clean-up!');
  });

  test('terminate', async () => {
    const handle = await start('forever');
    await handle.terminate('enough');
    const err = await failure(handle.result());
    assert.ok(err instanceof TerminatedFailure);
    await assert.rejects(handle.terminate(), WorkflowNotFoundError);
  });

  test('already started', async () => {
    const handle = await start('forever');
    await assert.rejects(
      client.workflow.start('forever', { taskQueue: queue, workflowId: handle.workflowId }),
      WorkflowExecutionAlreadyStartedError,
    );
    await handle.terminate();
  });

  test('patches and fresh ids replay', async () => assert.match(await run('patched'), /^[0-9a-f-]{36}$/));

  test('list', async () => {
    const handle = await start('hello', 'listed');
    await handle.result();
    const found = [];
    for await (const info of client.workflow.list({ query: `WorkflowId = '${handle.workflowId}'` })) found.push(info);
    assert.equal(found.length, 1);
    assert.equal(found[0].status.name, 'COMPLETED');
  });

  test('a worker is replaced in the middle', async () => {
    const handle = await start('interrupted');
    for (;;) {
      const { events } = await handle.fetchHistory();
      if (events!.filter((e) => e.workflowTaskCompletedEventAttributes).length === 2) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    worker.shutdown();
    await running;
    await handle.signal('go', '');
    await work();
    assert.equal(await handle.result(), 'Hello, before!Hello, after!');
  });
});

describe('updates', () => {
  const updateFailure = async (result: Promise<unknown>): Promise<Error> => {
    try {
      await result;
    } catch (err) {
      assert.ok(err instanceof WorkflowUpdateFailedError, String(err));
      return err.cause!;
    }
    throw new assert.AssertionError({ message: 'the update did not fail' });
  };

  test('accepted and completed, once for each id', async () => {
    const handle = await start('counter');
    assert.equal(await handle.executeUpdate(workflows.add, { args: [3], updateId: 'u1' }), 3);
    assert.equal(await handle.executeUpdate(workflows.add, { args: [3], updateId: 'u1' }), 3);
    assert.equal((await updateFailure(handle.executeUpdate(workflows.add, { args: [101] }))).message, 'too much at once');
    await handle.signal(workflows.end);
    assert.equal(await handle.result(), 3);
    assert.equal(await handle.getUpdateHandle('u1').result(), 3);
  });

  test('a rejected one leaves no trace', async () => {
    const handle = await start('counter');
    assert.equal(await handle.executeUpdate(workflows.add, { args: [1] }), 1);
    const before = (await handle.fetchHistory()).events!.length;
    for (let n = 0; n < 3; n++) {
      assert.equal((await updateFailure(handle.executeUpdate(workflows.add, { args: [-1] }))).message, 'never negative');
    }
    assert.equal((await handle.fetchHistory()).events!.length, before);
    assert.equal(await handle.executeUpdate(workflows.add, { args: [1] }), 2);
    await handle.terminate();
  });

  test('several at once, some with activities', async () => {
    const handle = await start('counter');
    const updates: Promise<unknown>[] = [];
    for (let n = 0; n < 6; n++) {
      updates.push(handle.executeUpdate(workflows.add, { args: [1] }), handle.executeUpdate(workflows.greetAndAdd, { args: [1] }));
    }
    await Promise.all(updates);
    await handle.signal(workflows.end);
    assert.equal(await handle.result(), 12);
  });

  test('of a workflow that closes', async () => {
    const handle = await start('counter');
    const err = await updateFailure(handle.executeUpdate(workflows.endAndHang));
    assert.ok(err instanceof ApplicationFailure);
    assert.equal(err.type, 'AcceptedUpdateCompletedWorkflow');
    await assert.rejects(handle.executeUpdate(workflows.add, { args: [1] }), WorkflowNotFoundError);
  });

  test('with start', async () => {
    const workflowId = `counter-${++serial}`;
    const operation = (workflowIdConflictPolicy: 'FAIL' | 'USE_EXISTING') =>
      new WithStartWorkflowOperation(workflows.counter, { workflowId, taskQueue: queue, workflowIdConflictPolicy });
    const update = (startWorkflowOperation: WithStartWorkflowOperation<typeof workflows.counter>) =>
      client.workflow.executeUpdateWithStart(workflows.add, { args: [5], startWorkflowOperation });
    const first = operation('FAIL');
    assert.equal(await update(first), 5);
    const second = operation('USE_EXISTING');
    assert.equal(await update(second), 10);
    assert.equal((await first.workflowHandle()).workflowId, (await second.workflowHandle()).workflowId);
    await assert.rejects(update(operation('FAIL')), WorkflowExecutionAlreadyStartedError);
  });

  test('a worker is replaced between acceptance and completion', async () => {
    worker.shutdown();
    await running;
    // Without activities the update has to wait.
    const first = await Worker.create({ connection: native, taskQueue: queue, workflowBundle: bundle, shutdownGraceTime: 100 });
    const ran = first.run();
    const handle = await start('counter');
    const update = await handle.startUpdate(workflows.greetAndAdd, { args: [4], waitForStage: WorkflowUpdateStage.ACCEPTED });
    first.shutdown();
    await ran;
    await work();
    assert.equal(await update.result(), 'Hello, 4!');
    await handle.signal(workflows.end);
    assert.equal(await handle.result(), 4);
  });
});
