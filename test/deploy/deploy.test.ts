/** What deploy/ has for systemd, Docker, Kubernetes and logrotate, as far as that can be checked here. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { validate } from 'dockerfile-utils';
import { StatefulSet } from 'kubernetes-models/apps/v1';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { Service, ServiceAccount } from 'kubernetes-models/v1';
import { parse, parseAllDocuments } from 'yaml';
import { parseCommandLine } from '../../src/cli/command-line.js';
import type { ServeOptions } from '../../src/cli/options.js';
import { root } from '../program-path.js';

const folder = mkdtempSync(join(tmpdir(), 'redraft-deploy-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const read = (path: string): string => readFileSync(join(root, 'deploy', path), 'utf8');
const has = (command: string): boolean => spawnSync(command, ['--version']).error === undefined;
const secret = join(folder, 'secret');
writeFileSync(secret, 'a-secret\n');

/** The options that arguments give, with files of secrets that are there. */
function optionsOf(args: readonly string[]): ServeOptions {
  const here = args.map((arg) => arg.replace(/\/(run\/secrets|secrets|etc\/redraft)\/\S+/, secret));
  const command = parseCommandLine(here, {});
  assert.equal(command.kind, 'serve');
  return (command as { options: ServeOptions }).options;
}

// ---- systemd ----

test(
  'the unit is sound, and gives a node away as little as it can',
  { skip: !has('systemd-analyze') && 'no systemd-analyze here' },
  () => {
    const text = read('systemd/redraft.service');
    const path = join(folder, 'redraft.service');
    // The program and its user have to be there.
    writeFileSync(
      path,
      text.replace('/usr/local/bin/redraft', process.execPath).replace(/^(User|Group)=.*\n/gm, ''),
    );
    const verified = spawnSync('systemd-analyze', ['verify', '--man=no', '--recursive-errors=no', path], {
      encoding: 'utf8',
    });
    assert.deepEqual([verified.status, verified.stderr], [0, '']);
    writeFileSync(path, text);
    // 10 is a process that nothing holds back.
    const security = spawnSync(
      'systemd-analyze',
      ['security', '--offline=true', '--threshold=20', '--no-pager', path],
      {
        encoding: 'utf8',
      },
    );
    assert.equal(security.status, 0, security.stdout + security.stderr);
  },
);

test('the unit has the program tell when it is ready, and starts what there is', () => {
  const unit = read('systemd/redraft.service');
  assert.match(unit, /^Type=notify\nNotifyAccess=all$|^Type=notify$/m);
  assert.match(unit, /^ExecStart=\/usr\/local\/bin\/redraft --config \/etc\/redraft\/redraft\.conf$/m);
  const config = join(folder, 'redraft.conf');
  const text = read('config/redraft.conf').replaceAll(/\/etc\/redraft\/(cluster-secret|password)/g, secret);
  // What stands there as a comment is right, too.
  writeFileSync(config, text.replaceAll(/^# (join|advertise) /gm, '$1 '));
  const options = optionsOf(['--config', config]);
  assert.equal(options.join?.length, 3);
  assert.deepEqual([options.dir, options.logfile], ['/var/lib/redraft', '/var/log/redraft/redraft.log']);
  assert.deepEqual(options.withoutMeaning, []);
  const rotated = read('logrotate/redraft');
  assert.ok(rotated.includes('/var/log/redraft/*.log {') && rotated.includes('--signal=HUP redraft.service'));
});

test('logrotate takes its file', { skip: !has('logrotate') && 'no logrotate here' }, () => {
  const path = join(folder, 'logrotate.conf');
  writeFileSync(path, read('logrotate/redraft'), { mode: 0o644 });
  const { status, stderr } = spawnSync('logrotate', ['--debug', '--state', join(folder, 'state'), path], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  assert.doesNotMatch(stderr, /^error/m);
});

// ---- Docker ----

const dockerfile = read('docker/Dockerfile');
/** A line of the last stage that is JSON. */
const instruction = (name: string): string[] =>
  JSON.parse(new RegExp(`^${name}(?: --.*\\\\\\n +CMD)? (\\[.*\\])$`, 'm').exec(dockerfile)![1]!) as string[];

test('the Dockerfile is sound: stages, a user of its own, a check of health', () => {
  const found = validate(dockerfile);
  assert.deepEqual(
    found.map(({ message, range }) => `${range.start.line + 1}: ${message}`),
    [],
  );
  const stages = dockerfile.split(/^FROM /m).slice(1);
  assert.equal(stages.length, 2);
  assert.match(stages[1]!, /^USER 10001:10001$/m);
  assert.doesNotMatch(stages[1]!, /^(USER (root|0)|ADD) /m);
  const options = optionsOf(instruction('ENTRYPOINT').slice(1));
  assert.deepEqual(
    [options.bind, options.dir, options.http],
    ['0.0.0.0', '/data', { host: '0.0.0.0', port: 9121 }],
  );
  const [command, flag, script] = instruction('HEALTHCHECK');
  assert.deepEqual([command, flag], ['node', '-e']);
  // Nobody listens here.
  assert.equal(spawnSync(process.execPath, ['-e', script!.replace('9121', '1')]).status, 1);
});

test('what the image is built of is let into the build', () => {
  const kept = read('docker/Dockerfile.dockerignore')
    .split('\n')
    .filter((line) => line.startsWith('!'));
  const { files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { files: string[] };
  for (const file of files.filter((one) => !/^!|^dist\b/.test(one)))
    assert.ok(
      kept.some((line) => `${file}/`.startsWith(`${line.slice(1)}/`)),
      file,
    );
});

interface ComposeService {
  readonly command: readonly string[];
  readonly volumes: readonly string[];
}

test('the compose file has three nodes that find each other', () => {
  const compose = parse(read('docker/compose.yaml'), { merge: true }) as {
    services: Record<string, ComposeService>;
    volumes: Record<string, unknown>;
  };
  const names = Object.keys(compose.services);
  assert.equal(names.length, 3);
  const entry = instruction('ENTRYPOINT').slice(1);
  const founders = names.filter((name) => {
    const { command, volumes } = compose.services[name]!;
    const { advertise, join: joined } = optionsOf([...entry, ...command]);
    assert.deepEqual(advertise, { host: name, port: 7481 });
    assert.ok(volumes.every((volume) => volume.split(':')[0]! in compose.volumes));
    for (const { host } of joined ?? [])
      assert.ok(names.includes(host) && host !== name, `${name} joins ${host}`);
    return joined === undefined;
  });
  assert.deepEqual(founders, ['redraft-1']);
});

// ---- Kubernetes ----

interface Container {
  readonly command: readonly string[];
  readonly ports: readonly { name: string; containerPort: number }[];
  readonly [probe: `${string}Probe`]: { httpGet: { path: string; port: string } };
}

/** Of the StatefulSet, what the tests look at. */
interface PodSpec {
  readonly replicas: number;
  readonly serviceName: string;
  readonly selector: { readonly matchLabels: object };
  readonly template: {
    readonly metadata: { readonly labels: object };
    readonly spec: { readonly enableServiceLinks: boolean; readonly containers: readonly [Container] };
  };
}

/** Of services and the budget. */
interface Spec {
  replicas: unknown;
  readonly clusterIP?: string;
  readonly publishNotReadyAddresses?: boolean;
  readonly selector: { readonly matchLabels?: object };
  readonly ports: readonly { readonly targetPort: string }[];
  readonly maxUnavailable: number;
}

const documents = parseAllDocuments(read('kubernetes/redraft.yaml')).map((one) => {
  assert.deepEqual(one.errors, []);
  return one.toJS() as { kind: string; metadata: { name: string }; spec: Spec };
});
const kinds = { PodDisruptionBudget, Service, ServiceAccount, StatefulSet } as const;
const ofKind = (kind: string) => documents.filter((one) => one.kind === kind);

test('each manifest is what the schema of its kind asks for', () => {
  assert.deepEqual(documents.map(({ kind }) => kind).sort(), [
    'PodDisruptionBudget',
    'Service',
    'Service',
    'ServiceAccount',
    'StatefulSet',
  ]);
  for (const one of documents) new kinds[one.kind as keyof typeof kinds](one as never).validate();
  // It is a check that can fail.
  const [set] = ofKind('StatefulSet');
  const wrong = structuredClone(set!);
  wrong.spec.replicas = 'three';
  assert.throws(() => new StatefulSet(wrong as never).validate(), /replicas/);
});

test('services, budget and probes fit the pods', () => {
  const [{ spec }] = ofKind('StatefulSet') as unknown as [{ spec: PodSpec }];
  const labels = spec.template.metadata.labels as object;
  assert.deepEqual(spec.selector.matchLabels, labels);
  const [container] = spec.template.spec.containers as [Container];
  const ports = container.ports.map(({ name }) => name);
  const headless = ofKind('Service').find((one) => one.spec.clusterIP === 'None')!;
  assert.equal(spec.serviceName, headless.metadata.name);
  assert.equal(headless.spec.publishNotReadyAddresses, true);
  for (const service of ofKind('Service')) {
    assert.deepEqual(service.spec.selector, labels);
    for (const { targetPort } of service.spec.ports) assert.ok(ports.includes(targetPort), targetPort);
  }
  const [budget] = ofKind('PodDisruptionBudget');
  assert.deepEqual(budget!.spec.selector.matchLabels, labels);
  assert.ok(budget!.spec.maxUnavailable < spec.replicas / 2);
  const paths = { startup: '/healthz', liveness: '/healthz', readiness: '/readyz' };
  for (const [probe, path] of Object.entries(paths))
    assert.deepEqual(container[`${probe}Probe`]!.httpGet, { path, port: 'http' });
  assert.equal(spec.template.spec.enableServiceLinks, false);
});

test('the first node founds once, all others join, each under its own name', () => {
  const [{ spec }] = ofKind('StatefulSet') as unknown as [{ spec: PodSpec }];
  const [shell, flag, script] = spec.template.spec.containers[0].command as [string, string, string];
  const data = join(folder, 'data');
  const bin = join(folder, 'bin');
  mkdirSync(data);
  mkdirSync(bin);
  // In its place: it says what it is started with; asked for the status it says what the test wants.
  writeFileSync(
    join(bin, 'redraft'),
    '#!/bin/sh\nif [ "$1" = status ]; then [ -z "$OTHERS" ] || echo "{}"; exit 1; fi\nfor word; do echo "$word"; done\n',
  );
  chmodSync(join(bin, 'redraft'), 0o755);
  const started = (pod: string, others = ''): ServeOptions => {
    const { status, stdout, stderr } = spawnSync(
      shell,
      [flag, script.replaceAll('/data/node', join(data, 'node'))],
      {
        encoding: 'utf8',
        env: { PATH: `${bin}:${process.env.PATH}`, POD_NAME: pod, OTHERS: others },
      },
    );
    assert.equal(status, 0, stderr);
    return optionsOf(stdout.trimEnd().split('\n'));
  };
  const first = started('redraft-0');
  assert.equal(first.join, undefined);
  assert.deepEqual(first.advertise, { host: 'redraft-0.redraft-nodes', port: 7481 });
  const second = started('redraft-1');
  assert.equal(second.join?.length, 3);
  assert.deepEqual(second.advertise, { host: 'redraft-1.redraft-nodes', port: 7481 });
  // Its disk was lost while the others serve.
  assert.equal(started('redraft-0', 'answer').join?.length, 3);
  mkdirSync(join(data, 'node'));
  assert.equal(started('redraft-0').join?.length, 3);
});
