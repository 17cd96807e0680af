import { CancelledFailure, Context, heartbeat, sleep } from '@temporalio/activity';

// Copies rows one by one and reports how far it is. The first attempt stumbles
// half-way; the next goes on where it stopped.
export async function copyRows(rows: number): Promise<string> {
  const { attempt, heartbeatDetails } = Context.current().info;
  const first = (heartbeatDetails as number | undefined) ?? 0;
  let done = first;
  try {
    while (done < rows) {
      await sleep(20); // the work
      heartbeat(++done);
      if (attempt === 1 && done === rows / 2) throw new Error('the disk is busy');
    }
  } catch (err) {
    if (err instanceof CancelledFailure) { // cancelled, paused, timed out, or the worker stops
      console.log('  cleaning up after row', done);
    }
    throw err; // accept; returning a result instead would ignore it
  }
  return `rows ${first + 1} to ${rows} copied in attempt ${attempt}`;
}
