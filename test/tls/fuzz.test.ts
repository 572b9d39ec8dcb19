/**
 * Handshakes as no client sends them: mutated, cut off, in drips. None may end the node, stay for long, or
 * keep others from their replies.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { Random } from '../../conformance/live/random.js';
import { Redraft } from '../../src/index.js';
import { RespClient } from '../../src/resp/client.js';
import { plain, until } from '../cluster/nodes.js';
import { Authority, withoutOpenssl } from './certificates.js';

const host = '127.0.0.1';
const ATTACKS = 400;
const AT_A_TIME = 40;

/** What a client begins with. */
async function clientHello(): Promise<Buffer> {
  const server = net.createServer().listen(0, host);
  await once(server, 'listening');
  const socket = connect({ host, port: (server.address() as net.AddressInfo).port });
  socket.on('error', () => {});
  const [accepted] = (await once(server, 'connection')) as [net.Socket];
  const [hello] = (await once(accepted, 'data')) as [Buffer];
  socket.destroy();
  accepted.destroy();
  server.close();
  return hello;
}

function mutated(hello: Buffer, random: Random): Buffer {
  const bytes = Buffer.from(hello);
  switch (random.below(5)) {
    case 0:
      return bytes.subarray(0, random.below(bytes.length));
    case 1:
      for (let i = random.between(1, 8); i > 0; i--) bytes[random.below(bytes.length)] = random.below(256);
      return bytes;
    case 2:
      // Lengths that lie.
      bytes.writeUInt16BE(random.below(0x10000), random.pick([3, 7, 43]));
      return bytes;
    case 3:
      return Buffer.concat([bytes, bytes, Buffer.alloc(random.below(70_000), random.below(256))]);
    default:
      return Buffer.from(Array.from({ length: random.below(600) }, () => random.below(256)));
  }
}

test(
  '400 broken handshakes: the node serves on, and all of them end',
  { skip: withoutOpenssl },
  async (t) => {
    const node = new Authority(t).issue('node');
    const redraft = await Redraft.start({ tls: node.files });
    t.after(() => redraft.stop());
    const client = await RespClient.connect({ host, port: redraft.port, tls: node.context });
    t.after(() => client.close());
    const random = new Random(20_261_128);
    const hello = await clientHello();
    let open = 0;
    for (let i = 0; i < ATTACKS; i++) {
      const socket = net.connect({ host, port: redraft.port });
      open++;
      socket.on('error', () => {});
      socket.once('close', () => {
        open--;
      });
      socket.resume();
      const bytes = mutated(hello, random);
      const cut = random.below(bytes.length + 1);
      socket.write(bytes.subarray(0, cut));
      socket.write(bytes.subarray(cut));
      if (i % AT_A_TIME === 0) assert.equal(plain(await client.call('INCR', 'n')), i / AT_A_TIME + 1);
    }
    await until('they are gone', () => open === 0, 30_000);
    const fresh = await RespClient.connect({ host, port: redraft.port, tls: node.context });
    assert.equal(plain(await fresh.call('GET', 'n')), `${ATTACKS / AT_A_TIME}`);
    await fresh.close();
    assert.equal(redraft.server.connections.size <= 2, true);
  },
);
