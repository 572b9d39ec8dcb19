/** Carries a simulated node's messages, pulses and snapshots through the network. */
import type { Message, NodeId, SnapshotMessage } from '../../raft/index.js';
import type { Transport, TransportHandler } from '../../raft/node/index.js';
import { busyMaxMs, pulseIntervalMs } from '../../raft/node/peer/pulse.js';
import type { MachineWorld, Neighbour } from './machine-world.js';
import { copyMessage } from './network.js';
import type { Process } from './process.js';

/** The machine that sends. */
interface SendingMachine extends Neighbour {
  readonly world: MachineWorld;
}

/** The process on it. */
interface SendingProcess {
  readonly process: Process;
  handler: TransportHandler | undefined;
  /** Snapshots that it is sending. */
  readonly channels: Set<Channel>;
}

/** Bytes that keep a thin link busy. */
function appendBytes(message: Message): number {
  if (message.type !== 'append') return 0;
  return message.entries.reduce((sum, { payload }) => sum + payload.length, 0);
}

/** Carries a node's messages through the simulated network. */
export class SimulatedTransport implements Transport {
  constructor(
    private readonly machine: SendingMachine,
    private readonly running: SendingProcess,
  ) {}

  start(handler: TransportHandler): void {
    this.running.handler = handler;
    this.beat();
  }

  private standing: { readonly term: number; readonly leads: boolean } | undefined;
  private turnedAtMs = 0;

  readonly pulse = {
    turned: (): void => {
      this.turnedAtMs = this.machine.world.loop.nowMs;
    },
    stands: (term: number, leads: boolean): void => {
      this.standing = { term, leads };
      this.pulse.turned();
    },
    stop: (): void => {
      this.standing = undefined;
    },
  };

  /** The pulse thread: it goes on while the process is busy, and stands still and dies with it. */
  private beat(): void {
    const { machine, running } = this;
    const { world, name, nodeId: from } = machine;
    if (running.process.isDead) return;
    world.loop.after(pulseIntervalMs, () => this.beat());
    const isStuck = world.loop.nowMs - this.turnedAtMs > busyMaxMs;
    if (this.standing === undefined || running.process.isPaused || isStuck) return;
    const pulse = { from, ...this.standing };
    for (const target of world.machines) {
      if (target === machine) continue;
      world.network.send(name, target.name, () => {
        const there = target.running;
        there?.process.run(() => there.handler?.onPulse(pulse));
      });
    }
  }

  setMembership(): void {}

  send(to: NodeId, messages: readonly Message[]): void {
    const { world } = this.machine;
    for (const message of messages) {
      world.invariants.sent(message);
      const target = world.machineOf(to);
      if (target === undefined) continue;
      const copy = copyMessage(message);
      const arrive = (): void => {
        const { running } = target;
        if (running === undefined || target.nodeId !== to) return;
        running.process.run(() => {
          const refused = running.handler?.onMessages([copy]);
          // Where acknowledged entries were lost, members may be parted for good.
          if (refused !== undefined && !world.invariants.mayLose)
            world.invariants.violate('honest messages are believed', `${target.name}: ${refused}`);
        });
      };
      const isSent = world.network.send(this.machine.name, target.name, arrive, appendBytes(message));
      if (!isSent && this.machine.world.random.chance(0.2)) {
        world.loop.after(1, () => this.running.process.run(() => this.running.handler?.onUnreachable(to)));
      }
    }
  }

  /** In chunks over a connection of its own; it breaks where the network is cut, and when either end dies. */
  async sendSnapshot(
    ...[message, reader, onProgress]: Parameters<Transport['sendSnapshot']>
  ): Promise<boolean> {
    const { world, name } = this.machine;
    const target = world.machineOf(message.to);
    const receiver = target?.running;
    const channel = new Channel();
    this.running.channels.add(channel);
    const copy = copyMessage(message) as SnapshotMessage;
    let taken: boolean | undefined;
    let bytes = 0;
    try {
      for (;;) {
        const chunk = await reader.next();
        if (chunk !== undefined) bytes += chunk.length;
        const isSound = await this.pass(name, target);
        if (!isSound || receiver === undefined || target?.running !== receiver) {
          channel.fail(new Error('the connection broke'));
          return false;
        }
        if (receiver.handler !== undefined && taken === undefined) {
          taken = false;
          receiver.process.run(() => {
            void receiver.handler!.onSnapshot(copy, channel, reader.dataBytes).then((isTaken) => {
              taken = isTaken;
              channel.done();
            });
          });
        }
        if (chunk === undefined) break;
        channel.push(Buffer.from(chunk));
        onProgress(bytes, reader.dataBytes);
      }
      channel.end();
      await Promise.race([channel.whenDone, new Promise<void>((resolve) => world.loop.after(2000, resolve))]);
      return taken === true && (await this.pass(target!.name, this.machine));
    } finally {
      this.running.channels.delete(channel);
      // Whoever still reads sees the connection end.
      channel.fail(new Error('the connection broke'));
      await reader.close();
    }
  }

  private pass(from: string, to: Neighbour | undefined): Promise<boolean> {
    const { world } = this.machine;
    if (to === undefined || world.network.isCut(from, to.name)) {
      return new Promise((resolve) => world.loop.after(50, () => resolve(false)));
    }
    return new Promise((resolve) => world.loop.after(world.network.delay(), () => resolve(true)));
  }

  async close(): Promise<void> {
    this.running.handler = undefined;
  }
}

/** Chunks on their way from one process to another. */
export class Channel implements AsyncIterable<Uint8Array> {
  private readonly chunks: Uint8Array[] = [];
  private isEnded = false;
  private error: Error | undefined;
  private wake: () => void = () => {};
  done!: () => void;
  readonly whenDone = new Promise<void>((resolve) => {
    this.done = resolve;
  });

  push(chunk: Uint8Array): void {
    this.chunks.push(chunk);
    this.wake();
  }

  end(): void {
    this.isEnded = true;
    this.wake();
  }

  fail(error: Error): void {
    this.error ??= error;
    this.wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = this.chunks.shift();
      if (chunk !== undefined) yield chunk;
      else if (this.isEnded) return;
      else if (this.error !== undefined) throw this.error;
      else
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
    }
  }
}
