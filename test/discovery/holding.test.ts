/** How long, and how much, a node that knows no leader makes its clients wait. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LeaderGuide, type LeaderGuideHost } from '../../src/discovery/leader-guide.js';

interface Node {
  readonly guide: LeaderGuide;
  nowMs: number;
  leaderId: number | undefined;
  isLeader: boolean;
  bytes: number;
  isStopping: boolean;
}

/** A node of a cluster of three, as its guide sees it. */
function nodeWith(electionTimeoutMs: number): Node {
  const state = {
    nowMs: 1000,
    leaderId: 2 as number | undefined,
    isLeader: false,
    bytes: 0,
    isStopping: false,
  };
  const server = {
    topology: {
      get leaderId() {
        return state.leaderId;
      },
      nodes: () => [],
      quorum: 2,
    },
    consensus: {
      isBound: true,
      members: [{}, {}, {}],
      get isLeader() {
        return state.isLeader;
      },
    },
    configuration: { integer: () => electionTimeoutMs, text: () => 'mymaster' },
    clientMemory: {
      get bytes() {
        return state.bytes;
      },
    },
    get isStopping() {
      return state.isStopping;
    },
    get isLeader() {
      return state.isLeader;
    },
    monotonicMs: () => state.nowMs,
    clock: () => state.nowMs,
    connections: new Map(),
  } as unknown as LeaderGuideHost;
  return Object.assign(state, { guide: new LeaderGuide(server, 'moved', { afterInput: (step) => step() }) });
}

test('commands wait for four election timeouts, and two seconds at least', () => {
  assert.equal(nodeWith(250).guide.holdMs, 2000);
  assert.equal(nodeWith(1000).guide.holdMs, 4000);
  const node = nodeWith(1000);
  const { guide } = node;
  guide.look();
  assert.equal(guide.holds(undefined), false);
  node.leaderId = undefined;
  assert.equal(guide.holds(undefined), true);
  node.nowMs += 4000;
  assert.equal(guide.holds(1000), true);
  node.nowMs++;
  assert.equal(guide.holds(1000), false);
  // Whoever comes now finds a cluster that has had no leader for long: it is not made to wait.
  assert.equal(guide.holds(undefined), false);
  // One that came late in that time still has its own.
  assert.equal(guide.holds(4000), true);
  node.leaderId = 3;
  assert.equal(guide.holds(4000), false);
});

test('a leader that hands over holds what comes', () => {
  const node = nodeWith(500);
  node.isLeader = true;
  node.leaderId = undefined;
  node.nowMs += 60_000;
  assert.equal(node.guide.holds(undefined), true);
  assert.equal(node.guide.holds(node.nowMs - 2001), false);
});

test('nobody waits where clients already have the node keep 256 MiB, or where it stops', () => {
  const node = nodeWith(500);
  node.guide.look();
  node.leaderId = undefined;
  node.bytes = 256 * 1024 * 1024;
  assert.equal(node.guide.holds(undefined), true);
  node.bytes++;
  assert.equal(node.guide.holds(undefined), false);
  assert.equal(node.guide.holds(node.nowMs), false);
  node.bytes = 0;
  node.isStopping = true;
  assert.equal(node.guide.holds(undefined), false);
});
