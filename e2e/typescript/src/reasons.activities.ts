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

// By workflow id: the activities that have begun, and those that may end.
export const begun = new Set<string>();
export const released = new Set<string>();

// Goes on whatever it is told, and counts how often it was cancelled.
export async function persist(): Promise<string> {
  const context = Context.current();
  const id = context.info.workflowExecution!.workflowId;
  let cancels = 0;
  context.cancellationSignal.addEventListener('abort', () => cancels++);
  context.cancelled.catch(() => {}); // told of by the signal
  begun.add(id);
  while (!released.has(id)) {
    heartbeat();
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  return `cancelled ${cancels} times`;
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
