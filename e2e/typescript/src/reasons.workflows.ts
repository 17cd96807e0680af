import { Duration } from '@temporalio/common';
import { ActivityCancellationType, proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type * as activities from './reasons.activities';

const retry = (maximumAttempts?: number) => ({ initialInterval: 20, ...(maximumAttempts && { maximumAttempts }) });

export async function listening(beats: boolean, heartbeatTimeout: Duration, attempts?: number): Promise<string> {
  return proxyActivities<typeof activities>({ startToCloseTimeout: '1 minute', heartbeatTimeout, retry: retry(attempts) }).listen(beats);
}

export async function speaking(): Promise<string> {
  return proxyActivities<typeof activities>({ startToCloseTimeout: '1 minute', heartbeatTimeout: '30s', retry: retry() }).unspeakable();
}

export async function persisting(cancellationType: ActivityCancellationType): Promise<string> {
  return proxyActivities<typeof activities>({ startToCloseTimeout: '1 minute', heartbeatTimeout: '30s', cancellationType }).persist();
}

export async function locally(): Promise<void> {
  await proxyLocalActivities<typeof activities>({ startToCloseTimeout: '1 minute' }).yieldWhenCancelled();
}
