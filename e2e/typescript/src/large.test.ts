// What one run may have much of, as the TypeScript SDK (Core) takes it: signals, children,
// events, and megabytes in a single workflow task.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Context } from '@temporalio/activity';
import { Client, Connection, WorkflowHandle } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { Server } from './harness';
import * as workflows from './large.workflows';

const taskQueue = 'large';
const uncached = 'large-uncached';
const crowded = 'large-crowded';
let server: Server;
let connection: Connection;
let native: NativeConnection;
let client: Client;
const workers: Worker[] = [];
let running: Promise<void[]>;

// Tells when the local activity runs, and lets it end.
function gate() {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { open, opened };
}
const began = gate();
const end = gate();

export const activities = {
  async add(n: number): Promise<number> {
    return n;
  },
  async echo(text: string): Promise<string> {
    return text;
  },
  async untilLetGo(): Promise<void> {
    began.open();
    await Promise.race([end.opened, Context.current().cancelled]);
  },
};

before(async () => {
  // Core warns of large payloads, and of tasks the server ends for what waits behind them: both are meant here.
  Runtime.install({ logger: new DefaultLogger('ERROR'), telemetryOptions: { logging: { filter: 'ERROR' } } });
  server = await Server.start();
  connection = await Connection.connect({ address: server.address });
  native = await NativeConnection.connect({ address: server.address });
  client = new Client({ connection });
  const common = { connection: native, activities, workflowsPath: require.resolve('./large.workflows'), shutdownGraceTime: 100 };
  workers.push(await Worker.create({ ...common, taskQueue }));
  workers.push(await Worker.create({ ...common, taskQueue: uncached, maxCachedWorkflows: 0 }));
  workers.push(await Worker.create({ ...common, taskQueue: crowded, maxCachedWorkflows: 1 }));
  running = Promise.all(workers.map((worker) => worker.run()));
});

after(async () => {
  for (const worker of workers) worker.shutdown();
  await running;
  await native?.close();
  await connection?.close();
  await server?.stop();
});

async function events(handle: WorkflowHandle) {
  return (await handle.fetchHistory()).events!;
}

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);

test('signals behind a workflow task', async () => {
  const handle = await client.workflow.start(workflows.lingering, {
    taskQueue, workflowId: 'lingering', args: [50], workflowTaskTimeout: '1m',
  });
  await began.opened;
  for (const n of upTo(50)) await handle.signal('number', n);
  assert.equal((await events(handle)).some((e) => e.workflowExecutionSignaledEventAttributes), false); // they wait
  end.open();
  assert.deepEqual(await handle.result(), upTo(50));
  const kept = (await events(handle)).filter((e) => e.workflowExecutionSignaledEventAttributes);
  assert.equal(kept.length, 50);
});

test('a long history without a cache', async () => {
  const handle = await client.workflow.start(workflows.diligent, { taskQueue: uncached, workflowId: 'diligent', args: [20, 20] });
  for (const n of upTo(20)) await handle.signal('number', n);
  assert.deepEqual(await handle.result(), [80, ...upTo(20)]);
  assert.ok((await handle.describe()).historyLength > 300);
});

test('runs that push each other out of a small cache', async () => {
  const handles = await Promise.all(
    upTo(4).map((n) => client.workflow.start(workflows.diligent, { taskQueue: crowded, workflowId: `crowded-${n}`, args: [12, 1] })),
  );
  for (const handle of handles) await handle.signal('number', 7);
  for (const handle of handles) assert.deepEqual(await handle.result(), [48, 7]);
});

test('two hundred children', async () => {
  const handle = await client.workflow.start(workflows.parentOfMany, { taskQueue, workflowId: 'parent', args: [200] });
  assert.equal(await handle.result(), (199 * 200) / 2);
  const closed = (await events(handle)).filter((e) => e.childWorkflowExecutionCompletedEventAttributes);
  assert.equal(closed.length, 200);
});

test('two thousand signals', async () => {
  const handle = await client.workflow.start(workflows.tally, { taskQueue, workflowId: 'tally', args: [2000] });
  const left = upTo(2000);
  await Promise.all(upTo(32).map(async () => {
    for (let n = left.shift(); n !== undefined; n = left.shift()) await handle.signal('number', n);
  }));
  assert.deepEqual(await handle.result(), Array(2000).fill(1)); // each once
  await assert.rejects(handle.signal('number', 0)); // a closed run takes none
});

test('megabytes in one workflow task', async () => {
  const size = 3 << 19; // a megabyte and a half
  const handle = await client.workflow.start(workflows.spender, { taskQueue, workflowId: 'spender', args: [6, size] });
  assert.equal(await handle.result(), 6 * size);
  const scheduled = (await events(handle)).flatMap((e) => e.activityTaskScheduledEventAttributes ?? []);
  assert.equal(scheduled.length, 6);
  assert.equal(new Set(scheduled.map((a) => String(a.workflowTaskCompletedEventId))).size, 1); // one completion had them all
});
