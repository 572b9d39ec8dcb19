import assert from 'node:assert/strict';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { ReplyClient } from '../../conformance/client.js';
import { play, printFailure } from '../../conformance/run-transcript.js';
import { parseTranscript, printTranscript } from '../../conformance/transcript.js';

/** A server that knows a handful of commands: enough to see the runner pass, fail, record, wait. */
let server: Server;
let blocked: Socket[] = [];

function answer(socket: Socket, words: string[]): string {
  switch (words[0]!.toUpperCase()) {
    case 'PING':
      return '+PONG\r\n';
    case 'ECHO':
      return `$${words[1]!.length}\r\n${words[1]}\r\n`;
    case 'FLUSHALL':
    case 'HELLO':
    case 'DEL':
      return '+OK\r\n';
    case 'INFO': {
      const text = `blocked_clients:${blocked.length}\r\n`;
      return `$${text.length}\r\n${text}\r\n`;
    }
    case 'WAITFOR':
      blocked.push(socket);
      return '';
    case 'WAKE':
      for (const waiter of blocked) waiter.write(':1\r\n');
      blocked = [];
      return '+OK\r\n';
    case 'QUIT':
      socket.end('+OK\r\n');
      return '';
    default:
      return '-ERR unknown command\r\n';
  }
}

before(async () => {
  server = createServer((socket) => {
    let text = '';
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      for (;;) {
        const count = /^\*(\d+)\r\n/.exec(text);
        if (!count) return;
        const words: string[] = [];
        let at = count[0].length;
        while (words.length < Number(count[1])) {
          const header = /^\$(\d+)\r\n/.exec(text.slice(at));
          if (!header) return;
          at += header[0].length;
          words.push(text.slice(at, at + Number(header[1])));
          at += Number(header[1]) + 2;
        }
        if (text.length < at) return;
        text = text.slice(at);
        socket.write(answer(socket, words), 'latin1');
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

after(() => new Promise((resolve) => server.close(resolve)));

function connect(): Promise<ReplyClient> {
  return ReplyClient.connect((server.address() as AddressInfo).port);
}

const source = `# a comment
== some steps
> PING
+PONG
[as word]> ECHO hello
$"hello"
> ECHO \${word}\${x*3}
$"helloxxx"
[times 3]> ECHO n\${i}
$"n3"
c2 [blocks]> WAITFOR
(blocked)
c2 [still]<
(blocked)
> WAKE
+OK
c2<
:1
[closes]> QUIT
+OK
(closed)
> PING
+PONG
`;

test('a transcript that tells the truth passes, in both protocols, and the hook runs before each step', async () => {
  const positions: string[] = [];
  const result = await play(
    parseTranscript(source, 't'),
    't',
    connect,
    {
      betweenSteps: ({ protocol, lineNumber }) => {
        positions.push(`${protocol}:${lineNumber}`);
      },
    },
    'replay',
  );
  assert.deepEqual(result, { passed: 20, failed: 0, known: 0, failures: [] });
  assert.equal(positions.length, 20);
  assert.equal(positions[0], '2:3');
});

test('what differs is told with file, line, command and both replies', async () => {
  const lie = source.replace('$"hello"', '$"hallo"').replace(':1\n', ':2\n');
  const result = await play(parseTranscript(lie, 't'), 't', connect, { protocol: 2 }, 'replay');
  assert.equal(result.failed, 2);
  assert.equal(
    printFailure(result.failures[0]!),
    't:5 [some steps, RESP2]\n    [as word]> ECHO hello\n  - $"hallo"\n  + $"hello"',
  );
});

test('recording writes the replies in place and keeps the rest', async () => {
  const bare = source
    .split('\n')
    .filter((line) => /^(#|==|\w* ?(\[.*\])?[<>]|$)/.test(line))
    .join('\n');
  assert.ok(!bare.includes('+PONG'));
  const transcript = parseTranscript(bare, 't');
  await play(transcript, 't', connect, {}, 'record');
  assert.equal(printTranscript(transcript), source);
});
