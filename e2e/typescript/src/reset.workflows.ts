import * as wf from '@temporalio/workflow';
import type * as activities from './activities';

const { greet } = wf.proxyActivities<typeof activities>({ startToCloseTimeout: '10s' });

// Gathers what signals and updates bring, a greeting first, until it is told to end.
export async function gather(): Promise<string[]> {
  const seen: string[] = [];
  let ended = false;
  wf.setHandler(wf.defineSignal<[string]>('item'), (item) => void seen.push(item));
  wf.setHandler(wf.defineSignal('end'), () => void (ended = true));
  wf.setHandler(wf.defineUpdate<number, [string]>('note'), (item) => seen.push(item));
  seen.push(await greet('you'));
  await wf.condition(() => ended);
  return seen;
}

// Starts a child, and answers with what that has to say, and with a random id.
export async function parent(): Promise<string[]> {
  const child = await wf.startChild(waitsForWord, { workflowId: `${wf.workflowInfo().workflowId}-child` });
  await wf.sleep(1);
  return [await child.result(), wf.uuid4()];
}

export async function waitsForWord(): Promise<string> {
  let word = '';
  wf.setHandler(wf.defineSignal<[string]>('word'), (w) => void (word = w));
  await wf.condition(() => word !== '');
  return word;
}
