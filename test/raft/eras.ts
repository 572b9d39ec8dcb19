/**
 * Short reigns, one after the other, each over a bare majority: the schedules behind which a forgotten vote
 * and figure 8 of the Raft paper hide. Random steps alone reach them once in a hundred thousand schedules,
 * for several elections must follow each other of which most nodes hear little.
 */
import { type Message, majority } from '../../raft/index.js';
import type { Host } from './host.js';

/** The run that an era happens in. */
export interface Stage {
  readonly network: readonly Message[];
  below(limit: number): number;
  chance(share: number): boolean;
  /** Nodes that do not stand still. */
  hosts(): Host[];
  /** Hands over the message at this place of the network. */
  deliver(place: number): void;
  process(host: Host): void;
  persist(host: Host): void;
  propose(host: Host): void;
  /** Asks it to admit, promote or remove somebody. */
  administer(host: Host): void;
  read(host: Host): void;
  crash(host: Host): void;
  /** So many ticks pass for a node alone. */
  wait(host: Host, ticks: number): void;
}

/** Enough for a node to vote again; most do not stand themselves by then. */
const patienceTicks = 11;

/**
 * A node, or two that do not hear each other, asks for the votes of a majority that hears nobody else; who
 * wins proposes, and is heard for a few messages more.
 *
 * @returns who took part
 */
export function era(stage: Stage): readonly Host[] {
  const hosts = stage.hosts();
  const candidates = takeSome(stage, hosts, stage.chance(0.4) ? 2 : 1);
  const { membership } = candidates[0]!.raft.status();
  const wanted = majority(membership.members.filter(({ learner }) => !learner).length);
  const voters = takeSome(stage, hosts, wanted - 1);
  const company = [...candidates, ...voters];
  const deposed = stage.hosts().filter((host) => leads(host) && !company.includes(host));
  if (stage.chance(0.3)) for (const host of deposed) askAround(stage, host);
  const ids = new Set(company.map(({ raft }) => raft.id));
  const rivals = new Set(candidates.map(({ raft }) => raft.id));
  // What lies about from earlier times is heard in some eras only.
  const began = stage.chance(0.3) ? 0 : stage.network.length;
  const isHeard = ({ from, to }: Message): boolean =>
    ids.has(from) && ids.has(to) && !(rivals.has(from) && rivals.has(to));

  for (const host of voters) stage.wait(host, patienceTicks);
  const crashes = stage.chance(0.4);
  let isWon = false;
  for (let round = 0; round < 14; round++) {
    // The first time may only tell them in which term the others are.
    if (!isWon && round % 7 === 0) for (const { raft } of candidates) raft.campaign();
    for (const host of company) {
      stage.process(host);
      if (stage.chance(0.7)) stage.persist(host);
    }
    if (crashes && voters.length > 0 && stage.chance(0.2)) {
      const victim = voters[stage.below(voters.length)]!;
      stage.crash(victim);
      stage.wait(victim, patienceTicks);
    }
    deliverSome(stage, isHeard, began, 0.8);
    const leader = candidates.find(leads);
    if (leader === undefined || isWon) continue;
    isWon = true;
    // Few of them go with one append, so that it may be heard in part.
    const proposals = stage.chance(0.5) ? stage.below(12) : stage.below(2);
    for (let count = 0; count < proposals; count++) stage.propose(leader);
    if (stage.chance(0.1)) stage.administer(leader);
    // How many more rounds it has: from none, so that what it wrote is its own, to enough to commit.
    round = Math.max(round, 13 - stage.below(6));
  }
  for (const host of deposed) readThere(stage, host);
  return company;
}

const leads = ({ raft }: Host): boolean => raft.status().role === 'leader';

/** A leader asks all whether they follow it; their answers stay on the way. */
function askAround(stage: Stage, leader: Host): void {
  const began = stage.network.length;
  stage.wait(leader, 2);
  stage.process(leader);
  deliverSome(stage, ({ from }) => from === leader.raft.id, began, 0.7);
  for (const host of stage.hosts()) if (host !== leader) stage.process(host);
}

/**
 * Whoever does not know that it leads no more is asked for a read, and gets the answers to what it asked
 * before.
 */
function readThere(stage: Stage, host: Host): void {
  if (!leads(host) || !stage.chance(0.5)) return;
  const { length } = stage.network;
  stage.read(host);
  stage.process(host);
  for (let place = Math.min(length, stage.network.length) - 1; place >= 0; place--)
    if (stage.network[place]?.to === host.raft.id && stage.chance(0.8)) stage.deliver(place);
  stage.process(host);
}

function takeSome(stage: Stage, hosts: Host[], count: number): Host[] {
  const taken: Host[] = [];
  while (taken.length < count && hosts.length > 0) taken.push(...hosts.splice(stage.below(hosts.length), 1));
  return taken;
}

function deliverSome(
  stage: Stage,
  isHeard: (message: Message) => boolean,
  began: number,
  share: number,
): void {
  for (let place = stage.network.length - 1; place >= began; place--) {
    const message = stage.network[place];
    if (message !== undefined && isHeard(message) && stage.chance(share)) stage.deliver(place);
  }
}
