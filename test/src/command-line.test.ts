import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type CommandLine, parseCommandLine, UsageError } from '../../src/cli/command-line.js';
import { type ServeOptions, serveTable } from '../../src/cli/options.js';

const folder = mkdtempSync(join(tmpdir(), 'redraft-options-'));
after(() => rmSync(folder, { recursive: true }));

let files = 0;
function configFile(...lines: string[]): string {
  const path = join(folder, `${files++}.conf`);
  writeFileSync(path, lines.join('\n'));
  return path;
}

function serve(args: string[], environment: Record<string, string> = {}): ServeOptions {
  const parsed = parseCommandLine(args, environment);
  assert.equal(parsed.kind, 'serve');
  return (parsed as CommandLine & { kind: 'serve' }).options;
}

function refuses(args: string[], message: string, environment: Record<string, string> = {}): void {
  assert.throws(
    () => parseCommandLine(args, environment),
    (error) => {
      assert.ok(error instanceof UsageError);
      assert.equal(error.message, message);
      return true;
    },
  );
}

test('defaults', () => {
  assert.deepEqual(serve([]), {
    port: 7481,
    bind: '127.0.0.1',
    aclfile: undefined,
    advertise: undefined,
    maxclients: 10000,
    requirepass: undefined,
    requirepassFile: undefined,
    clusterSecrets: [],
    clusterSecretFile: undefined,
    protectedMode: 'yes',
    enableDebugCommand: 'no',
    http: undefined,
    logFormat: 'text',
    logfile: '',
    syslogEnabled: 'no',
    syslogIdent: 'redraft',
    syslogFacility: 'local0',
    httpToken: undefined,
    httpTokenFile: undefined,
    httpTls: 'no',
    tlsPort: 0,
    tlsCertFile: '',
    tlsKeyFile: '',
    tlsKeyFilePass: '',
    tlsCaCertFile: '',
    tlsCaCertDir: '',
    tlsAuthClients: 'yes',
    tlsAuthClientsUser: 'off',
    tlsCluster: 'no',
    tlsProtocols: '',
    tlsCiphers: '',
    tlsCiphersuites: '',
    tlsDhParamsFile: '',
    tlsSessionCaching: 'yes',
    dir: './data',
    backend: 'file',
    durability: 'high',
    electionTimeout: 500,
    snapshotInterval: { ms: undefined },
    snapshotSize: 128 * 1024 * 1024,
    maxmemory: 0,
    maxmemoryPolicy: 'noeviction',
    databases: 16,
    join: undefined,
    clusterSecret: undefined,
    consistency: 'high',
    clientAdvertise: undefined,
    sentinelName: 'mymaster',
    follower: 'try',
    loglevel: 'notice',
    config: undefined,
    parameters: {},
    users: [],
    withoutMeaning: [],
  });
});

test('long and short forms', () => {
  const long = serve(['--port', '7000', '--dir=x', '--consistency', 'LOW', '--snapshot-interval', '15m']);
  assert.deepEqual(
    [long.port, long.dir, long.consistency, long.snapshotInterval.ms],
    [7000, 'x', 'low', 900_000],
  );
  const short = serve(['-p7000', '-d', 'x', '-c', 'low', '-j', '[::1]:80,b:2', '-m', '2gb']);
  assert.deepEqual([short.port, short.dir, short.consistency, short.maxmemory], [7000, 'x', 'low', 2 ** 31]);
  assert.deepEqual(short.join, [
    { host: '::1', port: 80 },
    { host: 'b', port: 2 },
  ]);
});

test('long names with one dash, as Go programs take them', () => {
  const options = serve([
    '-p',
    '7482',
    '-dir',
    'data2',
    '-join',
    '7481',
    '-consistency',
    'high',
    '-loglevel=debug',
  ]);
  assert.deepEqual(
    [options.port, options.dir, options.consistency, options.loglevel],
    [7482, 'data2', 'high', 'debug'],
  );
  assert.deepEqual(options.join, [{ host: '127.0.0.1', port: 7481 }]);
  assert.equal(parseCommandLine(['-help'], {}).kind, 'help');
  assert.equal(parseCommandLine(['recover', '-yes', '-dir', 'x'], {}).kind, 'recover');
  refuses(['-dirr', 'x'], 'unknown flag -dirr: did you mean --dir?');
  refuses(['-nonsense'], 'unknown flag -nonsense: see redraft --help');
  refuses(['-port', 'abc'], `--port abc: must be ${port}`);
});

test('a variable of ours that nothing reads is a mistake', () => {
  refuses([], 'unknown environment variable REDRAFT_DURABILTY: did you mean REDRAFT_DURABILITY?', {
    REDRAFT_DURABILTY: 'low',
  });
  refuses(['status'], 'unknown environment variable REDRAFT_NONSENSE: see redraft --help', {
    REDRAFT_NONSENSE: '',
  });
  // What Kubernetes sets beside a service of that name, and what another subcommand reads.
  serve([], { REDRAFT_SERVICE_HOST: '10.0.0.1', REDRAFT_PORT_7481_TCP: 'tcp://10.0.0.1:7481' });
  assert.equal(parseCommandLine(['status'], { REDRAFT_DIR: 'x' }).kind, 'status');
});

test('a redis.conf: later lines count, parts add up, what has no meaning is named once', () => {
  const included = configFile('maxclients 5', 'port 3');
  const config = configFile(
    'bind 127.0.0.1 -::1',
    'port 1',
    'port 2',
    `include ${included}`,
    'daemonize yes',
    'daemonize no',
    'save 900 1',
    'save 300 10',
    'appendonly no',
    'repl-diskless-sync yes',
    'proc-title-template "{title} {listen-addr} {server-mode}"',
    'client-output-buffer-limit normal 0 0 0',
    'client-output-buffer-limit replica 256mb 64mb 60',
    'client-output-buffer-limit pubsub 16mb 8mb 60',
    'aclfile ""',
    'user ada on >secret ~a:* +@all',
  );
  const options = serve(['--config', config]);
  assert.deepEqual([options.bind, options.port, options.maxclients], ['127.0.0.1', 3, 5]);
  assert.deepEqual(options.users, ['user ada on >secret ~a:* +@all']);
  assert.equal(options.parameters.save, '900 1 300 10');
  assert.equal(
    options.parameters['client-output-buffer-limit'],
    'normal 0 0 0 slave 268435456 67108864 60 pubsub 16777216 8388608 60',
  );
  assert.deepEqual(options.withoutMeaning, [
    'daemonize',
    'save',
    'appendonly',
    'repl-diskless-sync',
    'proc-title-template',
  ]);
  assert.equal(serve(['--config', configFile('bind * -::*')]).bind, '0.0.0.0');
  assert.equal(serve(['--config', configFile('save 900 1', 'save ""')]).parameters.save, '');
  const circle = join(folder, 'circle.conf');
  writeFileSync(circle, `include ${circle}\n`);
  refuses(['--config', circle], `${circle}:1: include ${circle}: files include each other`);
});

test('the redis.conf that is installed here, if one is, is taken as it is', (t) => {
  const stock = '/etc/redis/redis.conf';
  try {
    readFileSync(stock);
  } catch {
    t.diagnostic(`no ${stock} can be read`);
    return;
  }
  const options = serve(['--config', stock]);
  assert.equal(options.port, 6379);
  assert.ok(options.withoutMeaning.includes('daemonize'));
});

test('every example in --help is taken', () => {
  for (const { example } of Object.values(serveTable)) {
    const [environment, args] = example.startsWith('REDRAFT_')
      ? [Object.fromEntries([example.split(' ')[0].split('=')]), []]
      : [{}, example.split(' ')];
    // Their files would have to be there.
    if (/^--(config|requirepass-file|cluster-secret-file|http-token-file) /.test(example)) continue;
    assert.equal(parseCommandLine(args, environment).kind, 'serve', example);
  }
});

test('a flag counts before the environment, that before the file, that before the default', () => {
  const config = configFile('port 1', 'maxclients 1', 'databases 1');
  const environment = { REDRAFT_PORT: '2', REDRAFT_MAXCLIENTS: '2', REDRAFT_CONFIG: config, REDRAFT_DIR: '' };
  const options = serve(['--port', '3'], environment);
  assert.deepEqual([options.port, options.maxclients, options.databases, options.dir], [3, 2, 1, './data']);
});

test('the config file: comments, quotes, parameters of CONFIG SET', () => {
  const config = configFile(
    '# a comment',
    '',
    'dir "/a b/c"',
    'Maxmemory-Policy allkeys-lru',
    'hash-max-ziplist-entries 7',
    'client-query-buffer-limit 2mb',
    "requirepass 'it''s'",
  );
  refuses(['--config', config], `${config}:7: unbalanced quotes`);
  const good = configFile(
    'dir "/a b/c"\r',
    '  Maxmemory-Policy allkeys-lru',
    'hash-max-ziplist-entries 7',
    'client-query-buffer-limit 2mb',
  );
  const options = serve(['--config', good]);
  assert.deepEqual([options.dir, options.maxmemoryPolicy], ['/a b/c', 'allkeys-lru']);
  assert.deepEqual(options.parameters, {
    'hash-max-listpack-entries': '7',
    'client-query-buffer-limit': '2097152',
  });
});

test('what is wrong in a config file is named with its line', () => {
  const bad: [string, string][] = [
    ['port abc', ': port abc: must be a whole number from 0 to 65535'],
    ['port', ': port needs a value'],
    ['prot 1', ": unknown name 'prot': did you mean port?"],
    ['nonsense 1', ": unknown name 'nonsense'"],
    ['config x', ': a config file cannot name another one'],
    ['timeout x', ': timeout x: must be 0..2147483647'],
    ['rename-command FLUSHALL nothing', ': redraft has no rename-command: take the line out'],
    ['bind 10.0.0.1 10.0.0.2', ': bind 10.0.0.1 10.0.0.2: must be one address, or * for all'],
  ];
  for (const [line, message] of bad) {
    const config = configFile('# first', line);
    refuses(['--config', config], `${config}:2${message}`);
  }
  assert.throws(
    () => parseCommandLine(['--config', join(folder, 'none')], {}),
    (error: UsageError) => error.message.startsWith(`--config ${folder}/none: cannot be read: ENOENT`),
  );
});

const port = 'a whole number from 0 to 65535';

test('a wrong value is named with its flag and what is allowed', () => {
  for (const text of ['abc', '-1', '65536', '1e3', '0x10', '7.5', ' 7'])
    refuses(['--port', text], `--port ${text}: must be ${port}`);
  refuses(['-p', 'abc'], `--port abc: must be ${port}`);
  refuses([], `REDRAFT_PORT=abc: must be ${port}`, { REDRAFT_PORT: 'abc' });
  refuses(['--durability', 'extreme'], '--durability extreme: must be one of low, medium, high');
  refuses(['--backend', 'disk'], '--backend disk: must be file or memory');
  refuses(['--bind', '1.2.3'], '--bind 1.2.3: must be an IP address or a host name');
  refuses(['--advertise', 'host'], '--advertise host: must be host:port, with an IPv6 address in brackets');
  refuses(['--advertise', 'h:0'], '--advertise h:0: must be host:port, with an IPv6 address in brackets');
  refuses(['--join', 'a:1,b'], '--join a:1,b: must be a port, host:port, or several separated by commas');
  refuses(
    ['--snapshot-interval', '15'],
    '--snapshot-interval 15: must be off, or a number with a unit s, m, h or d, from 1s to 24d',
  );
  refuses(
    ['--snapshot-size', '1kb'],
    '--snapshot-size 1kb: must be a number of bytes, with or without a unit (kb, mb, gb), at least 1mb',
  );
  refuses(['--databases', '0'], '--databases 0: must be a whole number from 1 to 65536');
});

test('missing values, unknown flags, stray arguments', () => {
  for (const args of [['--port'], ['--port='], ['--port', '--dir', 'x'], ['-p']])
    refuses(args, `--port needs a value: ${port}`);
  refuses(['--port', '1', '-p', '2'], 'The flag --port can only be set once');
  refuses(
    ['--maxmemory-policy', 'noeviction', '--maxmemory-policy', 'x'],
    'The flag --maxmemory-policy can only be set once',
  );
  refuses(['--prot', '1'], 'unknown flag --prot: did you mean --port?');
  refuses(['--snapshot-sise=1'], 'unknown flag --snapshot-sise: did you mean --snapshot-size?');
  refuses(['--frobnicate'], 'unknown flag --frobnicate: see redraft --help');
  refuses(['--no-port'], 'unknown flag --no-port: see redraft --help');
  refuses(['-x'], 'unknown flag -x: see redraft --help');
  refuses(['--a.b=1'], 'unknown flag --a.b: see redraft --help');
  refuses(['--__proto__', 'x'], 'unknown flag --__proto__: see redraft --help');
  refuses(['--port', '1', 'stray'], "unexpected argument 'stray': see redraft --help");
  refuses(['serve'], "unknown command 'serve': see redraft --help");
  refuses(['chekc', 'x'], "unknown command 'chekc': did you mean redraft check?");
  refuses(['check'], 'PATH is missing: see redraft check --help');
  refuses(['check', 'a', 'b'], "unexpected argument 'b': see redraft check --help");
  refuses(['status', '--dir', 'x'], 'unknown flag --dir: see redraft status --help');
});

test('subcommands', () => {
  assert.deepEqual(parseCommandLine(['check', './x'], {}), {
    kind: 'check',
    directory: './x',
    options: { json: false },
  });
  assert.deepEqual(parseCommandLine(['status', '-a', 'h:1'], { REDRAFT_REQUIREPASS: 'p' }), {
    kind: 'status',
    options: {
      address: { host: 'h', port: 1 },
      port: undefined,
      requirepass: 'p',
      requirepassFile: undefined,
      tls: false,
      tlsCertFile: '',
      tlsKeyFile: '',
      tlsKeyFilePass: '',
      tlsCaCertFile: '',
      tlsCaCertDir: '',
      json: false,
      watch: false,
    },
  });
  assert.deepEqual(parseCommandLine(['recover', '-d', 'x', '--yes'], {}), {
    kind: 'recover',
    options: { dir: 'x', yes: true, skipEntry: undefined, json: false },
  });
  for (const flag of ['--version', '-v']) assert.equal(parseCommandLine([flag], {}).kind, 'version');
});

test('--help names every option with default and example, in 100 columns of ASCII', () => {
  for (const args of [['--help'], ['-h'], ['check', '--help'], ['status', '-h'], ['recover', '-h']]) {
    const parsed = parseCommandLine(args, {});
    assert.equal(parsed.kind, 'help');
    const { text } = parsed as CommandLine & { kind: 'help' };
    for (const line of text.split('\n')) assert.ok(line.length <= 100, line);
    assert.match(text, /^[\n -~]*$/);
    if (args.length > 1) continue;
    for (const { example, group } of Object.values(serveTable))
      assert.ok(text.includes(example) && text.includes(group));
  }
});

test('an election timeout has a unit, and bounds', () => {
  assert.equal(serve(['--election-timeout', '750ms']).electionTimeout, 750);
  assert.equal(serve(['--election-timeout', '2S']).electionTimeout, 2000);
  assert.equal(serve([], { REDRAFT_ELECTION_TIMEOUT: '1m' }).electionTimeout, 60_000);
  for (const text of ['500', '99ms', '2m', '1h', '0.5s', '']) {
    assert.throws(() => parseCommandLine(['--election-timeout', text], {}), /election-timeout/);
  }
});
