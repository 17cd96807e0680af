import {
  ApplicationFailure,
  CancelledFailure,
  Context,
  activityInfo,
  heartbeat,
  sleep,
} from '@temporalio/activity';

export async function greet(name: string): Promise<string> {
  return `Hello, ${name}!`;
}

export async function failUntilAttempt(n: number): Promise<number> {
  const { attempt } = activityInfo();
  if (attempt < n) throw new Error(`attempt ${attempt}`);
  return attempt;
}

export async function failForGood(): Promise<void> {
  throw ApplicationFailure.nonRetryable('no', 'Never', 'detail');
}

export async function failWithCause(): Promise<void> {
  throw ApplicationFailure.create({ message: 'outer', type: 'Outer', nonRetryable: true, cause: new Error('inner') });
}

export async function hang(): Promise<void> {
  await Context.current().cancelled;
}

export async function resumeFromHeartbeat(): Promise<string> {
  const details = activityInfo().heartbeatDetails;
  if (details !== undefined) return details;
  heartbeat('got this far');
  throw new Error('stumbled');
}

// Heartbeats until it is cancelled; then accepts that, or goes on to the end.
export async function untilCancelled(accept: boolean): Promise<string> {
  try {
    for (;;) {
      heartbeat();
      await sleep(50);
    }
  } catch (err) {
    if (!(err instanceof CancelledFailure) || accept) throw err;
    return `finished anyway: ${err.message}`;
  }
}
