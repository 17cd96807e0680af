import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type * as activities from './activities';

const { copyRows } = proxyActivities<typeof activities>({
  startToCloseTimeout: '1 minute', // one attempt
  heartbeatTimeout: '10 seconds', // between two reports
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '100 milliseconds' },
});

export async function copy(rows: number): Promise<string> {
  return copyRows(rows);
}
