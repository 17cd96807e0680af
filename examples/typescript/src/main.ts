// The life of an activity with the TypeScript SDK: it fails and is retried from
// its last heartbeat, then another is cancelled and cleans up. Beside "perdure
// server": npm install && npm start
import { randomUUID } from 'node:crypto';
import { CancelledFailure, Client, Connection, WorkflowFailedError } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import * as activities from './activities';
import { copy } from './workflows';

const taskQueue = 'example-typescript';

async function main(): Promise<void> {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const address = process.env.TEMPORAL_ADDRESS ?? 'localhost:7233';
  const native = await NativeConnection.connect({ address });
  const connection = await Connection.connect({ address });
  const worker = await Worker.create({
    connection: native,
    taskQueue,
    activities,
    workflowsPath: require.resolve('./workflows'),
    maxHeartbeatThrottleInterval: 100,
  });
  const { workflow } = new Client({ connection });
  await worker.runUntil(async () => {
    console.log(await workflow.execute(copy, { taskQueue, workflowId: `copy-${randomUUID()}`, args: [10] }));
    const handle = await workflow.start(copy, { taskQueue, workflowId: `copy-${randomUUID()}`, args: [1_000_000] });
    await handle.cancel();
    try {
      await handle.result();
    } catch (err) {
      if (!(err instanceof WorkflowFailedError && err.cause instanceof CancelledFailure)) throw err;
      console.log('cancelled');
    }
  });
  await connection.close();
  await native.close();
}

main().catch((err) => {
  console.error(err);
  process.exit(1);
});
