/**
 * The world in which the scripts of test/raft/scripts play: nodes, a network that delivers what it is told
 * to, and disks that sync when they are told to. `README.md` beside the scripts lists the commands.
 */
import { EntryKind, type Member, type Message, type NodeId } from '../../raft/index.js';
import { describeEntries, describeMessage, describeReady, describeStatus } from './describe.js';
import { Host } from './host.js';
import { MemoryStorage } from './memory-storage.js';

/** A parsed line: `name word word key=(1,2) key=value`. */
class Command {
  readonly name: string;
  readonly words: string[] = [];
  readonly #options = new Map<string, string>();
  readonly #used = new Set<string>();

  constructor(line: string) {
    const [name, ...rest] = line.trim().split(/\s+/);
    this.name = name!;
    for (const word of rest) {
      const option = /^([a-z-]+)=(.*)$/.exec(word);
      if (option === null) this.words.push(word);
      else this.#options.set(option[1]!, option[2]!);
    }
  }

  word(place: number): string {
    const word = this.words[place];
    if (word === undefined) throw new Error(`${this.name}: word ${place + 1} is missing`);
    return word;
  }

  number(place: number): number {
    return parseNumber(this.word(place));
  }

  numbers(from = 0): number[] {
    return this.words.slice(from).map(parseNumber);
  }

  option(key: string): string | undefined {
    this.#used.add(key);
    return this.#options.get(key);
  }

  list(key: string): number[] {
    const text = this.option(key);
    if (text === undefined || text === '()') return [];
    if (!/^\(\d+(,\d+)*\)$/.test(text)) throw new Error(`${key}=${text} is not a list such as (1,2,3)`);
    return text.slice(1, -1).split(',').map(Number);
  }

  numberOption(key: string, otherwise: number): number {
    const text = this.option(key);
    return text === undefined ? otherwise : parseNumber(text);
  }

  checkUsed(): void {
    for (const key of this.#options.keys()) {
      if (!this.#used.has(key)) throw new Error(`${this.name}: unknown option ${key}`);
    }
  }
}

function parseNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new Error(`${text} is not a number`);
  return Number(text);
}

const encoder = new TextEncoder();

/** Which messages `type=... from=(...)` of a command means. */
function filterOf(command: Command): (message: Message) => boolean {
  const type = command.option('type');
  const from = command.list('from');
  return (message) =>
    (type === undefined || message.type === type) && (from.length === 0 || from.includes(message.from));
}

export class Interaction {
  readonly #nodes = new Map<NodeId, Host>();
  #network: Message[] = [];
  /** Nodes in different groups cannot hear each other. */
  #groups: NodeId[][] = [];
  /** Nodes whose disk syncs only when told to. */
  readonly #slowDisks = new Set<NodeId>();
  #output: string[] = [];
  #quiet = false;

  /** Runs one step of a script: some command lines. @returns what stands below `----` */
  run(lines: readonly string[]): string {
    this.#output = [];
    for (const line of lines) {
      const command = new Command(line);
      try {
        this.#execute(command);
        command.checkUsed();
      } catch (error) {
        this.#output.push(`error: ${(error as Error).message}`);
      }
    }
    if (this.#output.length === 0) return 'ok';
    return this.#output.join('\n');
  }

  #print(line: string): void {
    if (!this.#quiet) this.#output.push(line);
  }

  #node(id: NodeId): Host {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  #idsOr(ids: readonly number[]): readonly number[] {
    return ids.length > 0 ? ids : [...this.#nodes.keys()];
  }

  #execute(command: Command): void {
    switch (command.name) {
      case 'log-level':
        this.#quiet = command.word(0) === 'none';
        break;
      case 'add-nodes':
        this.#addNodes(command);
        break;
      case 'campaign':
        this.#node(command.number(0)).raft.campaign();
        break;
      case 'tick':
        for (let i = 0; i < (command.words.length > 1 ? command.number(1) : 1); i++) {
          this.#node(command.number(0)).raft.tick();
        }
        break;
      case 'tick-heartbeat': {
        const node = this.#node(command.number(0));
        for (let i = 0; i < node.config.heartbeatTicks; i++) node.raft.tick();
        break;
      }
      case 'tick-election': {
        const node = this.#node(command.number(0));
        for (let i = 0; i < node.config.electionTicks; i++) node.raft.tick();
        break;
      }
      case 'stalled':
        this.#node(command.number(0)).raft.stalled(command.number(1));
        break;
      case 'propose': {
        const proposed = this.#node(command.number(0)).raft.propose(encoder.encode(command.word(1)));
        if (proposed === undefined) this.#print('refused');
        break;
      }
      case 'propose-membership':
        this.#proposeMembership(command);
        break;
      case 'read-index':
        if (!this.#node(command.number(0)).raft.readIndex(command.number(1))) this.#print('refused');
        break;
      case 'transfer-leadership':
        if (!this.#node(command.number(0)).raft.transferLeadership(command.number(1))) this.#print('refused');
        break;
      case 'process-ready':
        for (const id of this.#idsOr(command.numbers())) this.#processReady(id);
        break;
      case 'slow-disk':
        for (const id of command.numbers()) this.#slowDisks.add(id);
        break;
      case 'slow-install':
        this.#node(command.number(0)).slowInstall = true;
        break;
      case 'finish-install':
        this.#node(command.number(0)).finishInstall();
        break;
      case 'disk-answers':
        this.#node(command.number(0)).raft.setDiskAnswers(command.word(1) === 'yes');
        break;
      case 'pulse': {
        const [from, to] = command.word(0).split('->').map(Number) as [number, number];
        command.word(1);
        this.#node(to).raft.feelPulse({
          from,
          term: command.number(2),
          leads: command.words.length > 3 && command.word(3) === 'leads',
        });
        break;
      }
      case 'may-lead':
        this.#node(command.number(0)).raft.setMayLead(command.word(1) === 'yes');
        break;
      case 'persist': {
        const count = command.words.length > 1 ? command.number(1) : undefined;
        this.#node(command.number(0)).persist(count);
        break;
      }
      case 'deliver-msgs':
        this.#deliver(
          this.#idsOr(command.numbers()),
          command.list('drop'),
          filterOf(command),
          Number(command.option('count') ?? Number.POSITIVE_INFINITY),
        );
        break;
      case 'drop-msgs':
        this.#deliver([], this.#idsOr(command.numbers()), filterOf(command));
        break;
      case 'repeat-msgs': {
        const filter = filterOf(command);
        const ids = this.#idsOr(command.numbers());
        this.#network.push(...this.#network.filter((message) => ids.includes(message.to) && filter(message)));
        break;
      }
      case 'reverse-msgs':
        this.#network.reverse();
        break;
      case 'partition':
        this.#groups = command.words.map((word) => new Command(`x y=${word}`).list('y'));
        this.#network = this.#network.filter((message) => this.#connected(message));
        break;
      case 'heal':
        this.#groups = [];
        break;
      case 'stabilize':
        this.#stabilize(this.#idsOr(command.numbers()));
        break;
      case 'raft-log':
        for (const id of this.#idsOr(command.numbers())) this.#printLog(id);
        break;
      case 'raft-state':
      case 'status':
        for (const id of this.#idsOr(command.numbers())) {
          const lines = describeStatus(this.#node(id).raft.status());
          for (const line of command.name === 'status' ? lines : lines.slice(0, 1)) this.#output.push(line);
        }
        break;
      case 'applied':
        for (const id of this.#idsOr(command.numbers())) {
          this.#output.push(`${id}: ${describeEntries(this.#node(id).applied)}`);
        }
        break;
      case 'lease':
        for (const id of command.numbers()) {
          this.#output.push(`${id}: ${this.#node(id).raft.leaseValid() ? 'valid' : 'not valid'}`);
        }
        break;
      case 'restart':
        this.#node(command.number(0)).crash();
        break;
      case 'wipe-log':
        this.#wipe(command.number(0), command.number(1));
        break;
      case 'cut-snapshot':
        this.#node(command.number(0)).cutSnapshot();
        break;
      case 'compact':
        this.#node(command.number(0)).storage.compact(command.number(1));
        break;
      case 'report-snapshot':
        this.#node(command.number(0)).raft.reportSnapshot(command.number(1), command.word(2) === 'ok');
        break;
      case 'report-unreachable':
        this.#node(command.number(0)).raft.reportUnreachable(command.number(1));
        break;
      default:
        throw new Error(`unknown command ${command.name}`);
    }
  }

  #addNodes(command: Command): void {
    const count = command.number(0);
    const voters = command.list('voters');
    const learners = command.list('learners');
    const members: Member[] = [
      ...voters.map((id) => ({ id, address: `node${id}:7481`, learner: false })),
      ...learners.map((id) => ({ id, address: `node${id}:7481`, learner: true })),
    ];
    const terms = command.list('log');
    const index = command.numberOption('index', 0);
    const term = command.numberOption('term', Math.max(0, ...terms));
    for (let i = 0; i < count; i++) {
      const id = this.#nodes.size + 1;
      const storage = new MemoryStorage({
        index,
        term: index === 0 ? 0 : term,
        membership: { members, removed: [] },
      });
      storage.append(
        terms.map((entryTerm, place) => ({
          index: index + place + 1,
          term: entryTerm,
          kind: EntryKind.command,
          payload: encoder.encode(`t${entryTerm}`),
        })),
      );
      storage.hardState = { term, vote: 0, commit: command.numberOption('commit', index) };
      const config = {
        id,
        electionTicks: command.numberOption('election-ticks', 10),
        heartbeatTicks: command.numberOption('heartbeat-ticks', 1),
        // Timeouts are spread by id, so that a script knows who campaigns first.
        random: () => ((id - 1) % 5) / 5,
        maxAppendBytes: command.numberOption('max-append-bytes', 1 << 20),
        maxInflightBytes: command.numberOption('max-inflight-bytes', 1 << 20),
        maxInflightAppends: command.numberOption('max-inflight-appends', 256),
        maxCommittedBytes: command.numberOption('max-committed-bytes', 1 << 20),
      };
      this.#nodes.set(id, new Host(config, storage, (message) => this.#send(message)));
      command.checkUsed();
      for (const line of describeStatus(this.#node(id).raft.status())) this.#print(line);
    }
  }

  #proposeMembership(command: Command): void {
    const kind = command.word(1);
    const id = command.number(2);
    const address = command.option('address') ?? `node${id}:7481`;
    const { raft } = this.#node(command.number(0));
    let result: ReturnType<typeof raft.proposeMembership>;
    if (kind === 'add-learner' || kind === 'set-address')
      result = raft.proposeMembership({ kind, id, address });
    else if (kind === 'promote' || kind === 'remove') result = raft.proposeMembership({ kind, id });
    else throw new Error(`unknown change ${kind}`);
    if ('refused' in result) this.#print(`refused: ${result.refused}`);
  }

  #connected({ from, to }: Message): boolean {
    if (this.#groups.length === 0) return true;
    return this.#groups.some((group) => group.includes(from) && group.includes(to));
  }

  #send(message: Message): void {
    if (this.#connected(message)) this.#network.push(message);
    else if (message.type === 'snapshot') this.#node(message.from).raft.reportSnapshot(message.to, false);
  }

  /** @returns whether there was anything to do */
  #processReady(id: NodeId): boolean {
    const node = this.#node(id);
    if (!node.raft.hasReady()) return false;
    this.#print(`${id} ready`);
    for (const line of describeReady(node.take())) this.#print(`  ${line}`);
    if (!this.#slowDisks.has(id)) node.persist();
    return true;
  }

  /**
   * Delivers what is on the way to `to` and loses what is on the way to `drop`. @returns whether there was
   * any
   */
  #deliver(
    to: readonly NodeId[],
    drop: readonly NodeId[],
    filter: (message: Message) => boolean,
    count = Number.POSITIVE_INFINITY,
  ): boolean {
    const due: Message[] = [];
    const left: Message[] = [];
    for (const message of this.#network) {
      const isConcerned = (to.includes(message.to) || drop.includes(message.to)) && filter(message);
      (isConcerned && due.length < count ? due : left).push(message);
    }
    this.#network = left;
    for (const message of due) {
      if (drop.includes(message.to)) {
        this.#lose(message);
        continue;
      }
      this.#print(`deliver ${describeMessage(message)}`);
      // A joiner that does not exist yet hears nothing.
      this.#nodes.get(message.to)?.raft.step(message);
      if (message.type === 'snapshot') this.#node(message.from).raft.reportSnapshot(message.to, true);
    }
    return due.length > 0;
  }

  #lose(message: Message): void {
    this.#print(`lose ${describeMessage(message)}`);
    if (message.type === 'snapshot') this.#node(message.from).raft.reportSnapshot(message.to, false);
  }

  #stabilize(ids: readonly NodeId[]): void {
    for (let rounds = 0; ; rounds++) {
      if (rounds > 1000) throw new Error('does not become stable');
      let busy = false;
      for (const id of ids) if (this.#processReady(id)) busy = true;
      if (this.#deliver(ids, [], () => true)) busy = true;
      if (!busy) return;
    }
  }

  #printLog(id: NodeId): void {
    const node = this.#node(id);
    const { firstIndex, lastIndex } = node.raft.status();
    this.#output.push(`${id}: from ${firstIndex} ${describeEntries(node.storage.all())}`);
    if (node.storage.lastIndex() !== lastIndex) {
      this.#output.push(`${id}: on disk to ${node.storage.lastIndex()}, in memory to ${lastIndex}`);
    }
  }

  /** The disk forgets everything behind `index`, though it was synced. */
  #wipe(id: NodeId, index: number): void {
    const node = this.#node(id);
    const { storage } = node;
    const kept = storage.all().filter((entry) => entry.index <= index);
    storage.install(storage.snapshot());
    storage.append(kept);
    storage.hardState = { ...storage.hardState, commit: Math.min(storage.hardState.commit, index) };
    node.crash();
  }
}
