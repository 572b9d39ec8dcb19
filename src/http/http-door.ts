/**
 * What `--http` opens, beside the ports for clients: health for whoever restarts and balances, metrics for
 * Prometheus, and a page for people. It only reads. Loaded by no start that does not ask for it.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { monotonicNow } from '../../raft/node/timers.js';
import type { NodeContext } from '../commands/node-context.js';
import { isLoopback } from '../net/socket-addresses.js';
import type { Log } from '../observability/log.js';
import { History } from './history.js';
import { type KeyspaceSurvey, surveyKeyspace } from './keyspace-survey.js';
import { Metrics } from './metrics.js';
import { unreadiness } from './readiness.js';
import { reportStatus } from './status-report.js';

export interface HttpDoorOptions {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** What metrics and page ask for; undefined for nothing. */
  readonly token: string | undefined;
  /** Undefined: plain HTTP. */
  readonly tls: SecureContextOptions | undefined;
  /** The status page, one file of HTML. */
  readonly page: string;
  readonly log: Log;
}

/** Who is connected at a time: scrapers, probes and a few people. */
const CONNECTIONS_MAX = 100;
const HANDSHAKE_MS = 5000;
const limits: ServerOptions = {
  maxHeaderSize: 8192,
  headersTimeout: 5000,
  requestTimeout: 10_000,
  // How often these two are looked at.
  connectionsCheckingInterval: 1000,
  // Longer than between two scrapes.
  keepAliveTimeout: 75_000,
};
/** Everybody who watches shares what is of at most this age. */
const SCRAPE_AGE_MS = 100;
const REPORT_AGE_MS = 900;
const SURVEY_AGE_MS = 5000;

export class HttpDoor {
  private readonly metrics = new Metrics();
  private node: NodeContext | undefined;
  private history: History | undefined;
  /** What stands in the way while there is no node. */
  private startingReason = 'starting';
  private isClosing = false;
  private readonly tokenDigest: Buffer | undefined;
  private readonly pagePolicy: string;
  private readonly scrape = new Shared(SCRAPE_AGE_MS, () => this.metrics.text(this.node));
  private readonly report = new Shared(REPORT_AGE_MS, () => reportStatus(this.node!, this.history!.moments));
  private readonly survey = new Shared<KeyspaceSurvey>(SURVEY_AGE_MS, () =>
    surveyKeyspace(this.node!, () => !this.isClosing),
  );

  private constructor(
    private readonly options: HttpDoorOptions,
    private readonly server: Server | SecureServer,
  ) {
    const { token, page } = options;
    this.tokenDigest = token === undefined ? undefined : digestOf(token);
    this.pagePolicy = policyOf(page);
    server.maxConnections = CONNECTIONS_MAX;
    // Who is idle makes room, so that nobody keeps probes out by holding connections.
    server.on('drop', () => server.closeIdleConnections());
    server.on('clientError', (_error, socket) => socket.destroy());
  }

  /** Listens. Rejects as `net.Server` does where the address cannot be had. */
  static async open(options: HttpDoorOptions): Promise<HttpDoor> {
    let door: HttpDoor | undefined;
    const listener: RequestListener = (request, response) => void door!.answer(request, response);
    const { tls } = options;
    const server =
      tls === undefined
        ? createServer(limits, listener)
        : createSecureServer({ ...limits, ...tls, handshakeTimeout: HANDSHAKE_MS }, listener);
    door = new HttpDoor(options, server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: options.host, port: options.port }, () => {
        server.off('error', reject);
        resolve();
      });
    });
    return door;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** What /readyz says until there is a node. */
  starting(reason: string): void {
    this.startingReason = reason;
  }

  /** Shows this node from now on. */
  show(node: NodeContext): void {
    this.node = node;
    this.history = new History(node);
  }

  /** Other certificates, for connections to come. */
  replaceCertificates(tls: SecureContextOptions): void {
    if ('setSecureContext' in this.server) this.server.setSecureContext(tls);
  }

  /** From now on /readyz says no: clients are to go elsewhere while the node answers what it has. */
  closing(): void {
    this.isClosing = true;
  }

  close(): void {
    this.closing();
    this.history?.close();
    this.server.close();
    this.server.closeAllConnections();
  }

  // ---- answers ----

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    // Nothing is expected in a body.
    request.resume();
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      send(response, 405, 'only GET and HEAD\n');
      return;
    }
    try {
      await this.route((request.url ?? '/').split('?', 1)[0], request, response);
    } catch (error) {
      this.options.log.warning(`http: ${request.url?.slice(0, 100)} failed: ${(error as Error).stack}`, {
        event: 'http-failed',
      });
      if (!response.headersSent) send(response, 500, 'internal error: see the log\n');
      else response.destroy();
    }
  }

  private async route(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    switch (path) {
      case '/healthz':
        return send(response, 200, 'ok\n');
      case '/readyz': {
        const reasons = this.unready();
        return send(
          response,
          reasons.length === 0 ? 200 : 503,
          reasons.length === 0 ? 'ok\n' : `${reasons.join('\n')}\n`,
        );
      }
      case '/':
        // The page itself tells nothing: what it shows it asks for, with the token.
        response.setHeader('Content-Security-Policy', this.pagePolicy);
        response.setHeader('Referrer-Policy', 'no-referrer');
        return send(response, 200, this.options.page, 'text/html; charset=utf-8');
      case '/metrics':
        if (!this.admits(request, response)) return;
        return send(response, 200, await this.scrape.get(), this.metrics.contentType);
      case '/api/status':
        if (!this.admits(request, response) || !this.hasNode(response)) return;
        return sendJson(response, await this.report.get());
      case '/api/keyspace':
        if (!this.admits(request, response) || !this.hasNode(response)) return;
        return sendJson(response, await this.survey.get());
      default:
        return send(response, 404, 'not found: try /, /metrics, /healthz or /readyz\n');
    }
  }

  private unready(): readonly string[] {
    if (this.isClosing) return ['stopping'];
    return this.node === undefined ? [this.startingReason] : unreadiness(this.node);
  }

  private hasNode(response: ServerResponse): boolean {
    if (this.node !== undefined) return true;
    send(response, 503, `${this.startingReason}\n`);
    return false;
  }

  /** Whether who asks may see more than health; if not, they are told. */
  private admits(request: IncomingMessage, response: ServerResponse): boolean {
    if (this.tokenDigest === undefined) {
      // Without a token a page of somebody else's, whose name leads here, must not be able to read.
      if (!isLoopback(this.options.host) || isLocalName(request.headers.host)) return true;
      send(response, 403, 'without a token this is for localhost and addresses alone\n');
      return false;
    }
    const [, given] = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '') ?? [];
    if (given !== undefined && timingSafeEqual(digestOf(given), this.tokenDigest)) return true;
    response.setHeader('WWW-Authenticate', 'Bearer realm="redraft"');
    send(response, 401, 'a bearer token is needed (--http-token)\n');
    return false;
  }
}

/** What takes a while to make, made once for all who ask at about the same time. */
class Shared<T> {
  private made: Promise<T> | undefined;
  private atMs = 0;

  constructor(
    private readonly ageMs: number,
    private readonly make: () => Promise<T>,
  ) {}

  get(): Promise<T> {
    if (this.made !== undefined && monotonicNow() - this.atMs < this.ageMs) return this.made;
    const made = this.make();
    this.made = made;
    // Old only so long after it was done.
    this.atMs = Number.POSITIVE_INFINITY;
    void made
      .then(() => {
        this.atMs = monotonicNow();
      })
      .catch(() => {
        this.made = undefined;
      });
    return made;
  }
}

/** Of equal length, whatever was given. */
const digestOf = (token: string): Buffer => createHash('sha256').update(token).digest();

function isLocalName(host: string | undefined): boolean {
  const name = (host ?? '').replace(/:\d+$/, '').toLowerCase();
  return name === 'localhost' || /^[\d.]+$/.test(name) || /^\[[\da-f:.]+\]$/.test(name);
}

/** Nothing but what stands in the page itself runs, and it reaches nobody but this node. */
function policyOf(page: string): string {
  const hashes = (tag: string): string =>
    [...page.matchAll(new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`, 'g'))]
      .map(([, text]) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`)
      .join(' ');
  return [
    "default-src 'none'",
    `script-src ${hashes('script')}`,
    `style-src ${hashes('style')}`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

function send(
  response: ServerResponse,
  status: number,
  text: string,
  type = 'text/plain; charset=utf-8',
): void {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text) });
  response.end(response.req.method === 'HEAD' ? undefined : text);
}

function sendJson(response: ServerResponse, value: unknown): void {
  send(response, 200, JSON.stringify(value), 'application/json; charset=utf-8');
}
