// The life of an activity with the TypeScript SDK: it fails and is retried from
// its last heartbeat, then another is cancelled and cleans up; and both once more
// without a workflow. Beside "perdure server": npm install && npm start
import { randomUUID } from 'node:crypto';
import { ActivityExecutionFailedError, CancelledFailure, Client, Connection, WorkflowFailedError } from '@temporalio/client';
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
  const client = new Client({ connection });
  const { workflow } = client;
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
    await alone(client);
  });
  await connection.close();
  await native.close();
}

// The same activity without a workflow: a client starts it under an id of its own
// and waits for its result.
async function alone(client: Client): Promise<void> {
  const options = {
    id: 'copy-alone', taskQueue, startToCloseTimeout: '1 minute', heartbeatTimeout: '10 seconds',
    retry: { initialInterval: '100 milliseconds' },
  } as const;
  const { activity } = client;
  console.log('alone:', await activity.execute('copyRows', { ...options, args: [10] }));
  await activity.start('copyRows', { ...options, args: [1_000_000] }); // the id is free again
  const handle = activity.getHandle('copy-alone'); // whoever knows it can describe it, cancel it, wait for it
  await handle.cancel('changed my mind');
  try {
    await handle.result();
  } catch (err) {
    if (!(err instanceof ActivityExecutionFailedError && err.cause instanceof CancelledFailure)) throw err;
    console.log('alone: cancelled');
  }
}

main().catch((err) => {
  console.error(err);
  process.exit(1);
});
