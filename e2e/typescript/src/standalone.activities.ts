import { CompleteAsyncError, Context, heartbeat, sleep } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';

// By activity id: the message of the failure that stopped it first, and the task
// token of one that is completed elsewhere.
export const told = new Map<string, string>();
export const tokens = new Map<string, Uint8Array>();

const info = () => Context.current().info as typeof Context.prototype.info & { activityId: string };

export async function introduce(greeting: string): Promise<string> {
  const { attempt, activityId, workflowExecution } = info();
  if (workflowExecution) throw ApplicationFailure.nonRetryable(`told of ${JSON.stringify(workflowExecution)}`);
  return `${greeting}, this is attempt ${attempt} of ${activityId}`;
}

// Fails so often, and tells which attempts it has heard of.
export async function stumble(times: number): Promise<number[]> {
  const { attempt, heartbeatDetails } = info();
  const heard = [...((heartbeatDetails as number[] | undefined) ?? []), attempt];
  heartbeat(heard);
  if (attempt <= times) throw ApplicationFailure.create({ message: `attempt ${attempt}`, type: 'Stumbled' });
  return heard;
}

// Reports until it is stopped; later attempts say why the first was.
export async function beat(accept: boolean): Promise<string> {
  const { attempt, activityId } = info();
  if (told.has(activityId)) return `attempt ${attempt} after ${told.get(activityId)}`;
  try {
    for (;;) {
      heartbeat('some way');
      await sleep(30);
    }
  } catch (err) {
    told.set(activityId, (err as CancelledFailure).message);
    if (accept) throw err;
    return 'finished all the same';
  }
}

export async function elsewhere(): Promise<string> {
  tokens.set(info().activityId, info().taskToken);
  throw new CompleteAsyncError();
}
