import * as wf from '@temporalio/workflow';
import type { activities } from './large.test';

const { add, echo } = wf.proxyActivities<typeof activities>({ startToCloseTimeout: '1m' });
const { untilLetGo } = wf.proxyLocalActivities<typeof activities>({ startToCloseTimeout: '1m' });

const number = wf.defineSignal<[number]>('number');

// Keeps its workflow task with a local activity, so that what arrives meanwhile is
// buffered; then waits for so many signals.
export async function lingering(signals: number): Promise<number[]> {
  const got: number[] = [];
  wf.setHandler(number, (n) => void got.push(n));
  await untilLetGo();
  await wf.condition(() => got.length >= signals);
  return got;
}

// Goes round after round: markers, a timer, activities, and signals on the way.
export async function diligent(rounds: number, signals: number): Promise<number[]> {
  let total = 0;
  const got: number[] = [];
  wf.setHandler(number, (n) => void got.push(n));
  for (let n = 0; n < rounds; n++) {
    wf.patched(`round-${n}`);
    if (n % 10 === 0) await wf.sleep(1);
    for (const one of await Promise.all([1, 1, 1, 1].map((one) => add(one)))) total += one;
  }
  await wf.condition(() => got.length >= signals);
  return [total, ...got];
}

// Starts its children all at once and adds what they answer.
export async function parentOfMany(children: number): Promise<number> {
  const { workflowId } = wf.workflowInfo();
  const answers = await Promise.all(
    Array.from({ length: children }, (_, n) => wf.executeChild(oneOfMany, { workflowId: `${workflowId}-${n}`, args: [n] })),
  );
  return answers.reduce((sum, n) => sum + n, 0);
}

export async function oneOfMany(n: number): Promise<number> {
  return n;
}

// Takes signals until it has so many, and answers with how often each came.
export async function tally(signals: number): Promise<number[]> {
  const seen: number[] = Array(signals).fill(0);
  let taken = 0;
  wf.setHandler(number, (n) => {
    seen[n]++;
    taken++;
  });
  await wf.condition(() => taken >= signals);
  return seen;
}

// Gives activities much to carry, all in one workflow task, and has as much back from each.
export async function spender(parts: number, size: number): Promise<number> {
  const back = await Promise.all(Array.from({ length: parts }, (_, n) => echo(String(n).repeat(size))));
  if (back.some((text, n) => text !== String(n).repeat(size))) throw wf.ApplicationFailure.nonRetryable('not what was sent');
  return back.reduce((sum, text) => sum + text.length, 0);
}
