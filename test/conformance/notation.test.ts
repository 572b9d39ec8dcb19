import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { crc64 } from '../../conformance/crc64.js';
import { parseReply, printCommand, printReply, quote, splitArguments } from '../../conformance/notation.js';
import { expandVariables, parseTranscript, printTranscript } from '../../conformance/transcript.js';
import { transcriptFiles } from '../../conformance/transcript-files.js';
import { bytes, replies } from './arbitraries.js';

test('any reply survives printing and parsing', () => {
  fc.assert(fc.property(replies, (reply) => assert.deepEqual(parseReply(printReply(reply)), reply)));
});

test('no printed line is blank or ends in a blank, so that editors leave it alone', () => {
  fc.assert(
    fc.property(replies, (reply) => {
      for (const line of printReply(reply)) assert.match(line, /^[\x20-\x7e]*[\x21-\x7e]$/);
    }),
  );
});

test('any command survives printing and splitting', () => {
  fc.assert(
    fc.property(fc.array(bytes), (words) => assert.deepEqual(splitArguments(printCommand(words)), words)),
  );
});

test('arguments split as redis-cli splits them', () => {
  assert.deepEqual(splitArguments(String.raw`SET  k "a \x41\n\"b\"" 'it\'s \n' x"y"`), [
    ...['SET', 'k', 'a A\n"b"', "it's \\n", 'xy'],
  ]);
  assert.deepEqual(splitArguments('ECHO ""'), ['ECHO', '']);
  for (const line of ['SET k "a', "SET k 'a", 'SET k "a"b', "SET k 'a'b", 'SET k \xe9']) {
    assert.throws(() => splitArguments(line), { name: 'Error' }, line);
  }
});

test('replies are written one way only', () => {
  assert.deepEqual(printReply({ type: 'error', text: 'ERR with: ' }), ['-ERR with:\\x20']);
  assert.deepEqual(
    printReply({
      type: 'map',
      entries: [
        [
          { type: 'bulk', text: 'k' },
          { type: 'array', items: [{ type: 'null', form: 'resp3' }] },
        ],
      ],
    }),
    ['%1', '  $"k": *1', '    _nil'],
  );
  assert.equal(quote('\x00\xff\r\n"\\é'), '"\\x00\\xff\\r\\n\\"\\\\\\xe9"');
});

test('what is no reply is refused', () => {
  for (const lines of [
    ['OK'],
    ['*2', '  :1'],
    ['*1', ':1'],
    [':x'],
    ['$abc'],
    ['*x'],
    [':1', ':2'],
    ['#x'],
    [],
  ]) {
    assert.throws(() => parseReply(lines), { name: 'Error' }, lines.join('/'));
  }
});

test('every transcript file is in the form that recording writes, and every step is recorded', () => {
  const files = transcriptFiles();
  assert.ok(files.length >= 16);
  for (const file of files) {
    const source = readFileSync(file, 'utf8');
    const transcript = parseTranscript(source, basename(file));
    assert.equal(printTranscript(transcript), source, basename(file));
    for (const section of transcript.sections) {
      for (const item of section.items) {
        if (item.kind !== 'step') continue;
        for (const protocol of section.protocols) {
          assert.ok(
            item.recorded[protocol],
            `${basename(file)}:${item.lineNumber} is not recorded in RESP${protocol}`,
          );
        }
      }
    }
  }
});

test('a transcript with an error names file and line', () => {
  for (const [source, message] of [
    ['== s\n> GET k\nnonsense\n', /^t:3: not a reply: nonsense$/],
    ['== s\n[nope]> GET k\n', /^t:2: unknown directive \[nope\]/],
    ['> GET k\n', /^t:1: a command before the first section/],
    ['== s\n+OK\n', /^t:2: a reply without a command/],
    ['== s\n! sleep x\n', /^t:2: sleep takes milliseconds/],
  ] as const) {
    assert.throws(() => parseTranscript(source, 't'), { message });
  }
});

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: transcripts write variables this way
test('variables are replaced', () => {
  const variables = new Map([['id', '7']]);
  assert.equal(expandVariables('a${id}b', variables), 'a7b');
  assert.equal(expandVariables('${ab*3}', variables), 'ababab');
  assert.match(expandVariables('${now-ms+5}', variables), /^\d{13}$/);
  assert.throws(() => expandVariables('${other}', variables), /nothing is known as/);
});
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: transcripts write variables this way

test('CRC-64 has its check value', () => {
  assert.equal(crc64('123456789'), 0xe9c6d914c4b8d9can);
});
