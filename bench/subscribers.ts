/**
 * A process full of subscribers, for bench/events.ts: `node subscribers.js PORT COUNT`. Each subscribes to
 * `news`; messages are counted, not parsed. Speaks over its channel to the parent: `ready`; then, told how
 * many bytes are to come to all of them together, the time at which they have.
 */
import { connect, type Socket } from 'node:net';

const [port, count] = process.argv.slice(2).map(Number);
const sockets: Socket[] = [];
let received = 0;
let wanted = Number.POSITIVE_INFINITY;

function reached(): void {
  if (received < wanted) return;
  wanted = Number.POSITIVE_INFINITY;
  received = 0;
  process.send!('done');
}

function subscribe(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.once('error', reject);
    socket.once('close', () => process.send!('closed'));
    socket.once('data', () => {
      socket.on('data', (chunk) => {
        received += chunk.length;
        if (received >= wanted) reached();
      });
      resolve();
    });
    socket.write('SUBSCRIBE news\r\n');
    sockets.push(socket);
  });
}

for (let begun = 0; begun < count; begun += 100) {
  const batch: Promise<void>[] = [];
  for (let i = begun; i < Math.min(begun + 100, count); i++) batch.push(subscribe());
  await Promise.all(batch);
}
process.on('message', (bytes) => {
  wanted = Number(bytes);
  reached();
});
process.on('disconnect', () => process.exit(0));
process.send!('ready');
