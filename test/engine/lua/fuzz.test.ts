/**
 * Whatever a script is, it ends with values, an error of Lua, or past a limit: never with an error of
 * JavaScript.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ProgramGenerator } from '../../../conformance/lua/generate-program.js';
import { programFiles, readPrograms } from '../../../conformance/lua/program-files.js';
import { protectedState } from '../../../conformance/lua/run-program.js';
import { compile, LuaError, LuaFatal, type LuaLimits } from '../../../engine/lua/index.js';

const runs = Number(process.env.FUZZ_RUNS ?? 300);
const limits: LuaLimits = { steps: 20_000, bytes: 1_000_000, depth: 200, nativeDepth: 100 };

const states = [protectedState(), protectedState()] as const;

/** Runs a source; what it throws that is neither of the two ends fails the test. */
function survive(source: string): void {
  for (const coroutines of [false, true]) {
    const state = states[coroutines ? 1 : 0];
    try {
      const script = compile(source, coroutines ? { chunkName: 'p', coroutines } : { chunkName: 'p' });
      state.run(script, ['argument', 1], { limits });
    } catch (error) {
      if (!(error instanceof LuaError || error instanceof LuaFatal)) throw error;
      assert.notEqual(error instanceof LuaFatal && error.reason, 'stack', source);
    }
  }
}

const words = [
  ...'and break do else elseif end false for function if in local nil not or repeat return then true until while'.split(
    ' ',
  ),
  ...'+ - * / % ^ # == ~= <= >= < > = ( ) { } [ ] ; : , . .. ...'.split(' '),
  ...'a b self x arg _G string table math pcall error setmetatable coroutine load unpack'.split(' '),
  ...'constructor __proto__ prototype toString __index hasOwnProperty then eval this K G R C L F t0 v0 d'.split(
    ' ',
  ),
  ...[
    '1',
    '0',
    '0x1p4',
    '1e400',
    '"s"',
    "'\\0'",
    '[[l]]',
    '--c\n',
    '--[[c]]',
    '\n',
    '"$\u007bx}"',
    '`',
    '\\',
    '*/',
    '//',
    '"\\"',
  ],
];

const someBytes = fc.uint8Array({ maxLength: 200 }).map((codes) => String.fromCharCode(...codes));
const someWords = fc.array(fc.constantFrom(...words), { maxLength: 60 }).map((list) => list.join(' '));

test('random bytes', () => {
  fc.assert(fc.property(someBytes, survive), { numRuns: runs });
});

test('random words of the language and of JavaScript', () => {
  fc.assert(fc.property(someWords, survive), { numRuns: runs * 3 });
});

test('programs with pieces cut out, doubled, and moved', () => {
  const programs = programFiles().flatMap((name) => readPrograms(name).map(({ source }) => source));
  const program = fc.oneof(
    fc.constantFrom(...programs),
    fc.nat().map((seed) => new ProgramGenerator(seed).program()),
  );
  const mutation = fc.tuple(fc.nat(), fc.nat(), fc.nat(), fc.constantFrom(...words, '\xff', '\0'));
  fc.assert(
    fc.property(program, fc.array(mutation, { minLength: 1, maxLength: 4 }), (source, mutations) => {
      let text = source;
      for (const [a, b, kind, word] of mutations) {
        const at = a % (text.length + 1);
        const end = Math.min(text.length, at + (b % 20));
        const piece = text.slice(at, end);
        const inserted = [word, piece + piece, '', `${word} ${piece}`][kind % 4]!;
        text = text.slice(0, at) + inserted + text.slice(end);
      }
      survive(text);
    }),
    { numRuns: runs * 3 },
  );
});

test('library functions called with anything', () => {
  const values = [
    ...[
      'nil',
      'true',
      '0',
      '-1',
      '1',
      '2^31',
      '2^53',
      '-2^63',
      '1e300',
      '0/0',
      '1/0',
      '0.5',
      '"x"',
      '""',
      '"%d%s"',
      '"[a"',
    ],
    ...[
      '"(.-)%b()"',
      '{}',
      '{1,2,3}',
      '{n=1}',
      'type',
      'function() return 1 end',
      'function() error({}) end',
      't',
      '_G',
    ],
    ...[
      '("x"):rep(5000)',
      'cjson.null',
      'coroutine.create(function() end)',
      '"\\255\\0"',
      '"bhil!8s"',
      '"{\\"a\\":[1,2]}"',
      '"\\220\\255\\255"',
    ],
  ];
  const names: string[] = [];
  const state = protectedState();
  const listed = state.run(
    compile(
      'local o = {} for k, v in pairs(_G) do if type(v) == "function" then o[#o + 1] = k elseif type(v) == "table" and k ~= "_G" then for n, f in pairs(v) do if type(f) == "function" then o[#o + 1] = k .. "." .. n end end end end return table.concat(o, " ")',
      { chunkName: 'p' },
    ),
  )[0] as string;
  names.push(...listed.split(' '));
  assert.ok(names.length > 100, listed);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom(...names), fc.array(fc.constantFrom(...values), { maxLength: 5 })), {
        minLength: 1,
        maxLength: 6,
      }),
      (calls) => {
        const lines = calls.map(
          ([name, args]) =>
            `pcall(${[name, ...args].join(', ')}) pcall(function() t = ${name}(${args.join(', ')}) end)`,
        );
        survive(`local t = setmetatable({}, {__index = function(_, k) return k end})\n${lines.join('\n')}`);
      },
    ),
    { numRuns: runs },
  );
});
