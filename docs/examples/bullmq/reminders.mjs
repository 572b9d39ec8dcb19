import { Queue, Worker } from 'bullmq';

/** Sends a reminder an hour after it was asked for. */
export function reminders(connection, send) {
  const queue = new Queue('reminders', { connection });
  const worker = new Worker('reminders', async ({ data }) => send(data.to), { connection });
  return {
    remind: (to) => queue.add('remind', { to }, { delay: 3_600_000 }),
    ready: () => worker.waitUntilReady(),
    close: () => Promise.all([worker.close(true), queue.close()]),
  };
}
