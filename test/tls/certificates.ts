/** Certificates for tests, made on the spot by openssl. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { SecureContextOptions } from 'node:tls';

/** Why tests of TLS cannot run here; false if they can. */
export const withoutOpenssl: string | false =
  spawnSync('openssl', ['version']).status === 0 ? false : 'there is no openssl to make certificates with';

function openssl(...args: string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`openssl ${args.join(' ')}: ${stderr}`);
}

export interface IssueOptions {
  readonly days?: number;
  /** What the key is encrypted with. */
  readonly password?: string;
}

/** A certificate and its key, by their paths. */
export class Issued {
  constructor(
    readonly certFile: string,
    readonly keyFile: string,
    readonly caCertFile: string,
  ) {}

  /** What a client connects with. */
  get context(): SecureContextOptions {
    return {
      ca: readFileSync(this.caCertFile, 'utf8'),
      cert: readFileSync(this.certFile, 'utf8'),
      key: readFileSync(this.keyFile, 'utf8'),
    };
  }

  /** Flags of redis-cli. */
  get cliFlags(): string[] {
    return ['--tls', '--cacert', this.caCertFile, '--cert', this.certFile, '--key', this.keyFile];
  }

  /** The options of a node. */
  get files(): { certFile: string; keyFile: string; caCertFile: string } {
    return { certFile: this.certFile, keyFile: this.keyFile, caCertFile: this.caCertFile };
  }

  /** Flags of a process. */
  get flags(): string[] {
    return ['--tls-cert-file', this.certFile, '--tls-key-file', this.keyFile].concat(
      '--tls-ca-cert-file',
      this.caCertFile,
    );
  }

  /** Its file of authorities, which others may share, becomes one of these alone. */
  trust(...authorities: Authority[]): void {
    writeFileSync(
      this.caCertFile,
      authorities.map(({ certFile }) => readFileSync(certFile, 'utf8')).join(''),
    );
  }

  /** Takes the place of another in its files, as a rotation does. */
  replace(other: Issued): void {
    copyFileSync(this.keyFile, other.keyFile);
    copyFileSync(this.certFile, other.certFile);
  }
}

/** An authority that signs what it is asked to. All of it goes with the test. */
export class Authority {
  readonly root = mkdtempSync(join(tmpdir(), 'redraft-tls-'));
  readonly certFile = join(this.root, 'ca.crt');
  private readonly keyFile = join(this.root, 'ca.key');
  private count = 0;

  constructor(t: TestContext, name = 'authority') {
    t.after(() => rmSync(this.root, { recursive: true, force: true }));
    openssl(
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...['-keyout', this.keyFile, '-out', this.certFile, '-days', '3650', '-subj', `/CN=${name}`],
    );
  }

  /** For 127.0.0.1 and localhost. */
  issue(commonName: string, { days = 365, password }: IssueOptions = {}): Issued {
    const path = join(this.root, `${++this.count}`);
    const extensions = `${path}.ext`;
    writeFileSync(extensions, 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
    openssl(
      ...['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-utf8'],
      ...(password === undefined ? ['-nodes'] : ['-passout', `pass:${password}`]),
      ...['-keyout', `${path}.key`, '-out', `${path}.csr`, '-subj', `/CN=${commonName}`],
    );
    openssl(
      ...['x509', '-req', '-in', `${path}.csr`, '-CA', this.certFile, '-CAkey', this.keyFile],
      ...['-CAcreateserial', '-days', `${days}`, '-extfile', extensions, '-out', `${path}.crt`],
    );
    copyFileSync(this.certFile, `${path}.ca`);
    return new Issued(`${path}.crt`, `${path}.key`, `${path}.ca`);
  }
}
