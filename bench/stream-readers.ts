/**
 * A process full of readers that wait, for bench/stream-fanout.ts: `node stream-readers.js PORT COUNT`. Told
 * anything over its channel, each asks for the next entry of `news`; once all have it, it says `done`.
 */
import { connect, type Socket } from 'node:net';

const [port, count] = process.argv.slice(2).map(Number);
const REQUEST = 'XREAD BLOCK 0 STREAMS news $\r\n';
const sockets: Socket[] = [];
let missing = 0;

function open(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, resolve);
    socket.once('error', reject);
    socket.on('data', () => {
      if (--missing === 0) process.send!('done');
    });
    sockets.push(socket);
  });
}

for (let begun = 0; begun < count; begun += 100)
  await Promise.all(Array.from({ length: Math.min(100, count - begun) }, open));
process.on('message', () => {
  missing = count;
  for (const socket of sockets) socket.write(REQUEST);
});
process.on('disconnect', () => process.exit(0));
process.send!('ready');
