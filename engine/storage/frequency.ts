/**
 * How often a key is used, for LFU eviction (Redis 7.0, evict.c): 16 bits of minutes and 8 bits of a counter
 * that grows ever more slowly and decays with time. Counters belong to one node and are no part of the state;
 * their chance is drawn here, not from an entry's seed.
 */
import { Random } from '../log/random.js';

/** Where a new key starts, so that it is not evicted at once. */
const INITIAL = 5;

export class Frequency {
  /** How fast a counter saturates (lfu-log-factor). */
  logFactor = 10;
  /** Minutes after which an idle counter loses one (lfu-decay-time); 0: never. */
  decayMinutes = 1;
  private readonly random = new Random();

  constructor() {
    this.random.seed(1, 2);
  }

  fresh(clockSeconds: number): number {
    return (minutesOf(clockSeconds) << 8) | INITIAL;
  }

  /** The word of a key whose counter is known. */
  withCounter(counter: number, clockSeconds: number): number {
    return (minutesOf(clockSeconds) << 8) | counter;
  }

  touched(word: number, clockSeconds: number): number {
    const counter = this.decayed(word, clockSeconds);
    const base = Math.max(0, counter - INITIAL);
    const grows = counter < 255 && this.random.next() * (base * this.logFactor + 1) < 0x1_0000_0000;
    return (minutesOf(clockSeconds) << 8) | (grows ? counter + 1 : counter);
  }

  /** The counter after the decay since its last use. */
  decayed(word: number, clockSeconds: number): number {
    const counter = word & 0xff;
    if (this.decayMinutes === 0) return counter;
    const idleMinutes = (minutesOf(clockSeconds) - (word >>> 8)) & 0xffff;
    return Math.max(0, counter - Math.floor(idleMinutes / this.decayMinutes));
  }
}

const minutesOf = (seconds: number): number => Math.floor(seconds / 60) & 0xffff;
