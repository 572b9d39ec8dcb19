/**
 * The pulse: a small thread that tells each peer, ten times a second, over a connection of its own, that this
 * node lives, whatever its event loop is doing: a command that takes seconds, a frame of 300 MB. What it says
 * the loop has left in shared memory.
 *
 * It falls silent when the loop has not turned for {@link busyMaxMs}, and at once while the loop waits for
 * the disk: neither a loop that is stuck nor a disk that hangs is excused.
 */
import { Worker } from 'node:worker_threads';
import type { NodeId } from '../../types.js';
import { diskWait } from '../directory/disk.js';
import type { PeerCredentials } from './peer-credentials.js';

export const pulseIntervalMs = 100;
/** A node whose loop has not turned for so long is given up, however its pulse thread fares. */
export const busyMaxMs = 10_000;

/** What a node leaves for its pulse to say. */
export interface LoopPulse {
  /** The event loop has turned. */
  turned(): void;
  /** The node is in this term, and leads it or does not. */
  stands(term: number, leads: boolean): void;
  /** There is nothing more to say: the node has failed. */
  stop(): void;
}

/** What a pulse carries: term f64, leads u8, election timeout f64. */
export const pulseBytes = 17;

export interface PulseBeat {
  readonly term: number;
  readonly leads: boolean;
  readonly electionTimeoutMs: number;
}

export function encodePulse({ term, leads, electionTimeoutMs }: PulseBeat): Uint8Array {
  const body = Buffer.allocUnsafe(pulseBytes);
  body.writeDoubleLE(term, 0);
  body[8] = leads ? 1 : 0;
  body.writeDoubleLE(electionTimeoutMs, 9);
  return body;
}

/** @returns undefined for what is no pulse */
export function decodePulse(body: Buffer): PulseBeat | undefined {
  if (body.length !== pulseBytes || body[8]! > 1) return undefined;
  const term = body.readDoubleLE(0);
  const electionTimeoutMs = body.readDoubleLE(9);
  if (!Number.isSafeInteger(term) || term < 0 || !(electionTimeoutMs > 0)) return undefined;
  return { term, leads: body[8] === 1, electionTimeoutMs };
}

/** Milliseconds of a clock that all threads share, modulo 2^32. */
function sharedMs(): number {
  // Not performance.now(): each thread counts that from its own start.
  const [seconds, nanoseconds] = process.hrtime();
  return (seconds * 1000 + Math.floor(nanoseconds / 1e6)) | 0;
}

const silent = -1n;

/** The memory that loop and thread share. */
export class PulseCell implements LoopPulse {
  /** When the loop turned last. */
  private readonly turnedAtMs: Int32Array;
  /** Twice the term, plus one for its leader; or {@link silent}. */
  private readonly standing: BigInt64Array;

  constructor(readonly memory: SharedArrayBuffer = new SharedArrayBuffer(16)) {
    this.turnedAtMs = new Int32Array(memory, 8, 1);
    this.standing = new BigInt64Array(memory, 0, 1);
  }

  turned(): void {
    Atomics.store(this.turnedAtMs, 0, sharedMs());
  }

  stands(term: number, leads: boolean): void {
    this.turned();
    Atomics.store(this.standing, 0, BigInt(term) * 2n + (leads ? 1n : 0n));
  }

  stop(): void {
    Atomics.store(this.standing, 0, silent);
  }

  /** What there is to say; undefined: nothing. */
  read(
    boundMs: number,
    waitsForDisk: boolean,
  ): { readonly term: number; readonly leads: boolean } | undefined {
    const standing = Atomics.load(this.standing, 0);
    const busyMs = (sharedMs() - Atomics.load(this.turnedAtMs, 0)) | 0;
    if (standing === silent || waitsForDisk || busyMs > boundMs) return undefined;
    return { term: Number(standing >> 1n), leads: (standing & 1n) === 1n };
  }
}

export interface PulseOptions {
  readonly clusterId: string;
  readonly nodeId: NodeId;
  readonly credentials: PeerCredentials;
  /** Told to the peers: all nodes of a cluster must have the same. */
  readonly electionTimeoutMs: number;
  /** For tests: {@link busyMaxMs} by default. */
  readonly busyMaxMs?: number;
}

/** What the thread starts with. */
export interface PulseThreadData extends Required<PulseOptions> {
  readonly memory: SharedArrayBuffer;
  readonly diskWait: SharedArrayBuffer;
}

/** To the thread: whom to tell; or that the way to a peer is a new one. */
export type PulseOrder =
  | { readonly kind: 'peers'; readonly peers: readonly { readonly id: NodeId; readonly address: string }[] }
  | { readonly kind: 'redial'; readonly id: NodeId }
  /** Others are to be used from now on. */
  | { readonly kind: 'credentials'; readonly credentials: PeerCredentials };

/** The thread, as the loop sees it. It starts with the first peer: a node without peers has none. */
export class PulseThread {
  readonly cell = new PulseCell();
  private worker: Worker | undefined;

  constructor(
    private readonly options: PulseOptions,
    private readonly onNotice: (text: string) => void,
  ) {
    this.cell.stop();
  }

  setPeers(peers: readonly { readonly id: NodeId; readonly address: string }[]): void {
    if (this.worker === undefined) {
      if (peers.length === 0) return;
      this.worker = this.start();
    }
    this.order({ kind: 'peers', peers: peers.map(({ id, address }) => ({ id, address })) });
  }

  /**
   * The connection to a peer had to be made anew: that of the pulse may be broken, too, and would not notice
   * for long.
   */
  redial(id: NodeId): void {
    this.order({ kind: 'redial', id });
  }

  /** The node's credentials are others now. */
  credentialsChanged(): void {
    this.order({ kind: 'credentials', credentials: copyOf(this.options.credentials) });
  }

  async close(): Promise<void> {
    this.cell.stop();
    const { worker } = this;
    this.worker = undefined;
    await worker?.terminate();
  }

  private order(order: PulseOrder): void {
    this.worker?.postMessage(order);
  }

  private start(): Worker {
    const workerData: PulseThreadData = {
      busyMaxMs,
      ...this.options,
      credentials: copyOf(this.options.credentials),
      memory: this.cell.memory,
      diskWait: diskWait.buffer as SharedArrayBuffer,
    };
    const worker = new Worker(new URL('./pulse-thread.js', import.meta.url), {
      workerData,
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2, stackSizeMb: 1 },
    });
    // It must not keep a process alive whose work is done.
    worker.unref();
    worker.on('error', (error) => {
      this.worker = undefined;
      this.onNotice(`the pulse has ended, so that peers take a long command for a failure: ${error.message}`);
    });
    return worker;
  }
}

/** As they are now, and nothing but data. */
function copyOf({ secrets, tls }: PeerCredentials): PeerCredentials {
  return { secrets: [...secrets], tls };
}
