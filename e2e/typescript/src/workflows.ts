import * as wf from '@temporalio/workflow';
import type * as activities from './activities';

type Options = wf.ActivityOptions;
const short: Options = { startToCloseTimeout: '10s', retry: { initialInterval: 20, backoffCoefficient: 1 } };
const act = (options: Options = {}) => wf.proxyActivities<typeof activities>({ ...short, ...options } as Options);

export async function hello(name: string): Promise<string> {
  return act().greet(name);
}

export async function retried(succeedAt: number, maximumAttempts: number): Promise<number> {
  return act({ retry: { initialInterval: 20, maximumAttempts } }).failUntilAttempt(succeedAt);
}

export async function nonRetryable(): Promise<void> {
  await act().failForGood();
}

export async function causeChain(): Promise<void> {
  await act().failWithCause();
}

export async function timedOut(kind: string): Promise<void> {
  const once = { maximumAttempts: 1 };
  const options: Record<string, wf.ActivityOptions> = {
    SCHEDULE_TO_START: { taskQueue: 'nobody-listens', scheduleToStartTimeout: 200, startToCloseTimeout: '1m' },
    SCHEDULE_TO_CLOSE: { scheduleToCloseTimeout: 1000 },
    START_TO_CLOSE: { startToCloseTimeout: 1000, retry: once },
    HEARTBEAT: { startToCloseTimeout: '1m', heartbeatTimeout: 1000, retry: once },
  };
  await wf.proxyActivities<typeof activities>(options[kind] as never).hang();
}

export async function heartbeatDetails(): Promise<string> {
  return act().resumeFromHeartbeat();
}

export async function cancelled(accept: boolean): Promise<string> {
  return act({
    startToCloseTimeout: '1m',
    heartbeatTimeout: '2s',
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  }).untilCancelled(accept);
}

// The activity is cancelled and nobody waits for it.
export async function tryCancel(): Promise<string> {
  return act({ startToCloseTimeout: '1m', heartbeatTimeout: '2s', cancellationType: 'TRY_CANCEL' }).untilCancelled(true);
}

// Clean-up shielded from the cancellation that made it necessary.
export async function shielded(): Promise<string> {
  try {
    await wf.sleep('1h');
    return 'never';
  } catch (err) {
    if (!wf.isCancellation(err)) throw err;
    return wf.CancellationScope.nonCancellable(() => act().greet('clean-up'));
  }
}

export async function local(name: string): Promise<string> {
  return wf.proxyLocalActivities<typeof activities>({ startToCloseTimeout: '5s' }).greet(name);
}

export async function napping(ms: number): Promise<number> {
  const began = Date.now();
  await wf.sleep(ms);
  return Date.now() - began;
}

export const go = wf.defineSignal<[string]>('go');
export const state = wf.defineQuery<string>('state');

export async function waiting(): Promise<string> {
  let got: string | undefined;
  wf.setHandler(go, (word) => void (got = word));
  wf.setHandler(state, () => got ?? 'waiting');
  await wf.condition(() => got !== undefined);
  return got!;
}

export async function parent(fail: boolean): Promise<string> {
  return wf.executeChild(child, { args: [fail] });
}

export async function child(fail: boolean): Promise<string> {
  if (fail) throw wf.ApplicationFailure.create({ message: 'child fell', type: 'Fell' });
  return wf.workflowInfo().parent!.workflowId;
}

export async function countdown(n: number): Promise<string> {
  if (n > 0) await wf.continueAsNew<typeof countdown>(n - 1);
  return wf.workflowInfo().firstExecutionRunId;
}

export async function forever(): Promise<void> {
  await wf.sleep('1 year');
}

// Has an activity on either side of a wait, so that a new worker must replay.
export async function interrupted(): Promise<string> {
  let gone = false;
  wf.setHandler(go, () => void (gone = true));
  const before = await act().greet('before');
  await wf.condition(() => gone);
  return before + (await act().greet('after'));
}

export async function patched(): Promise<string> {
  if (!wf.patched('change')) return 'old';
  await wf.sleep(1);
  return wf.uuid4();
}

export const add = wf.defineUpdate<number, [number]>('add');
export const greetAndAdd = wf.defineUpdate<string, [number]>('greetAndAdd');
export const endAndHang = wf.defineUpdate<void>('endAndHang');
export const end = wf.defineSignal('end');

// Changed by updates until it is told to end.
export async function counter(): Promise<number> {
  let total = 0;
  let ended = false;
  const sum = (n: number) => {
    if (n > 100) throw wf.ApplicationFailure.create({ message: 'too much at once' });
    return (total += n);
  };
  const validator = (n: number) => {
    if (n < 0) throw new Error('never negative');
  };
  wf.setHandler(add, sum, { validator });
  wf.setHandler(greetAndAdd, async (n) => {
    const greeting = await act().greet(`${n}`);
    total += n;
    return greeting;
  });
  wf.setHandler(endAndHang, async () => {
    ended = true;
    await wf.sleep('1h');
  });
  wf.setHandler(end, () => void (ended = true));
  await wf.condition(() => ended);
  return total;
}
