import { Context, heartbeat, sleep } from '@temporalio/activity';

// By workflow id: the message of the failure that stopped its activity first.
export const told = new Map<string, string>();

export async function listen(beats: boolean): Promise<string> {
  const { attempt, workflowExecution } = Context.current().info;
  const id = workflowExecution!.workflowId;
  if (attempt > 1) return `attempt ${attempt} after ${told.get(id)}`;
  heartbeat();
  try {
    for (;;) {
      await sleep(50);
      if (beats) heartbeat();
    }
  } catch (err) {
    told.set(id, (err as Error).message);
    throw err;
  }
}

export async function unspeakable(): Promise<string> {
  const { attempt, workflowExecution } = Context.current().info;
  const id = workflowExecution!.workflowId;
  if (attempt > 1) return `attempt ${attempt} after ${told.get(id)}`;
  heartbeat(1n); // no converter knows it
  try {
    await sleep(10_000);
  } catch (err) {
    told.set(id, (err as Error).message);
    throw err;
  }
  return 'nobody minded';
}

export async function yieldWhenCancelled(): Promise<void> {
  const id = Context.current().info.workflowExecution!.workflowId;
  told.set(id, 'begun');
  try {
    await Context.current().cancelled;
  } catch (err) {
    told.set(id, (err as Error).message);
    throw err;
  }
}
