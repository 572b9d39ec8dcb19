/**
 * The replies that one client still has to get, in the order of its requests. Each is a slot; a slot is given
 * its turn when all before it are done.
 *
 *     reply      known already
 *     log        an item in the log: its reply comes when it is applied
 *     read       a command that runs on a state that is fresh enough: behind a quorum's answer, or right behind an item of its own client
 *     forwarded  another node answers; its bytes are passed through as they come
 *     promised   a command of the program that has to wait for somebody
 *
 * Out-of-band messages have no slot: they go out between two replies, never within one.
 *
 * Items complete in the order of the log, forwarded replies come in the order of their requests, and a
 * client's writes wait for its reads: so what completes is always the first slot, and neighbours of these two
 * kinds share a slot that counts them.
 */
import Denque from 'denque';
import type { ErrorReply, Reply } from '../../engine/index.js';
import type { ForwardedRequest } from '../cluster/upstream.js';

export type SlotKind = 'reply' | 'log' | 'read' | 'forwarded' | 'promised';

/** Runs a read when its turn has come, or gives the reason why it cannot run. */
export type ReadStep = (refusal: ErrorReply | undefined) => void;
/**
 * Runs a read behind an item, which is false where that was refused or its outcome is unknown; or gives the
 * reason why it cannot run.
 */
export type BehindItemStep = (isApplied: boolean, refusal: ErrorReply | undefined) => void;

/** A place in the queue. */
export class Slot {
  /** How many items, or forwarded replies, the slot stands for. */
  count = 1;
  /** Whether its turn may come: what it waited for is there. */
  isReady = false;
  reply: Reply | undefined = undefined;
  step: ReadStep | undefined = undefined;
  /** Of a read that stands right behind an item. */
  behindItem: BehindItemStep | undefined = undefined;
  refusal: ErrorReply | undefined = undefined;
  /** Whether the item is in the log already: see {@link LogPlace}. */
  place: LogPlace | undefined = undefined;
  /** Whether a promised reply is that of a read. */
  isRead = false;
  /** Whether the client counts as blocked until the slot is done. */
  blocks = false;

  constructor(readonly kind: SlotKind) {}
}

/** The entry that an item is part of. */
export interface LogPlace {
  /** Nothing can be added to it any more. */
  readonly isProposed: boolean;
}

/** What the queue needs of the client. */
export interface ReplyQueueOwner {
  /** Writes a reply. */
  encode(reply: Reply): void;
  /** Writes bytes that are RESP already; shared ones go to many clients. */
  writeRaw(bytes: Buffer, isShared: boolean): void;
  /** Whether another read may run: false while what is written already waits to be sent. */
  mayRead(): boolean;
  /**
   * A read must run now, before the item behind it, although much waits to be sent: the client is closed if
   * that is too much.
   */
  mustRead(): void;
  /** A slot is done. */
  moved(): void;
  /** What was put back is to run anew, in this order; the queue is empty. */
  runAnew(requests: readonly PutBack[]): void;
}

/** A request to which nothing has happened, or a reply that stands behind such a one. */
export type PutBack = ForwardedRequest | { readonly reply: Reply };

export class ReplyQueue {
  private readonly slots = new Denque<Slot>();
  /** Items in the log. */
  private items = 0;
  /** Reads that are to run before the next item. */
  private reads = 0;
  private forwarded = 0;
  /** The slot that holds up the reading of requests: always the last one. */
  private holder: Slot | undefined;
  /** Whether the last item to complete was applied. */
  private wasApplied = true;
  private isAdvancing = false;
  /** The first bytes of a forwarded reply are written, and not its last. */
  private isWithinReply = false;
  /** Messages that wait for the end of that reply. */
  private readonly pushes: Buffer[] = [];
  /** What these take. */
  pushBytes = 0;

  /** From the first request on that was refused before anything happened: all of them leave the queue. */
  private returning: PutBack[] | undefined;

  /** @param refusal why what was put back cannot run anew */
  constructor(
    private readonly owner: ReplyQueueOwner,
    private readonly refusal: () => ErrorReply,
  ) {}

  /** Whether no reply is owed. */
  get isEmpty(): boolean {
    return this.slots.length === 0;
  }

  get hasItems(): boolean {
    return this.items > 0;
  }

  /** Whether reads are outstanding that a write of this client must not overtake. */
  get hasReads(): boolean {
    return this.reads > 0;
  }

  get hasForwarded(): boolean {
    return this.forwarded > 0;
  }

  /** Whether no further request may be looked at before the last slot is done. */
  get isHeld(): boolean {
    return this.holder !== undefined || this.returning !== undefined;
  }

  /** What the client waits for: its item in the log, which may be yet to be applied, or a promised reply. */
  get blockedBy(): SlotKind | undefined {
    return this.holder?.blocks === true ? this.holder.kind : undefined;
  }

  /** Where the client's newest item lies, if anything still waits for it. */
  get newestPlace(): LogPlace | undefined {
    for (let i = this.slots.length - 1; i >= 0; i--) {
      const slot = this.slots.peekAt(i)!;
      if (slot.kind === 'log') return slot.place;
    }
    return undefined;
  }

  // ---- adding ----

  /** A reply that is known; it must not change any more. */
  addReply(reply: Reply): void {
    const slot = new Slot('reply');
    slot.reply = reply;
    slot.isReady = true;
    this.slots.push(slot);
  }

  /**
   * An item that was added to the log.
   *
   * @param holds whether requests are held up until it is done
   * @param blocks whether the client counts as blocked so long
   */
  addItem(place: LogPlace, holds = false, blocks = false): void {
    this.items++;
    const last = this.slots.peekBack();
    if (last?.kind === 'log' && !holds) {
      last.count++;
      last.place = place;
      return;
    }
    const slot = new Slot('log');
    slot.place = place;
    this.slots.push(slot);
    if (holds) this.hold(slot, blocks);
  }

  /** A read that waits for its consistency: {@link readReady} or {@link readRefused} is to be called. */
  addRead(step: ReadStep): Slot {
    const slot = new Slot('read');
    slot.step = step;
    this.reads++;
    this.slots.push(slot);
    return slot;
  }

  /** A read that runs right behind the newest item. */
  addReadBehindItem(step: BehindItemStep): void {
    const slot = new Slot('read');
    slot.behindItem = step;
    slot.isReady = true;
    this.slots.push(slot);
  }

  /** A request that was sent to another node. */
  addForwarded(): void {
    this.forwarded++;
    const last = this.slots.peekBack();
    if (last?.kind === 'forwarded') last.count++;
    else this.slots.push(new Slot('forwarded'));
  }

  /**
   * A reply that a command of the program has promised: {@link kept} is to be called. Requests are held up so
   * long.
   */
  addPromised(): Slot {
    const slot = new Slot('promised');
    this.slots.push(slot);
    this.hold(slot, true);
    return slot;
  }

  /**
   * The read whose turn it is has a reply that comes later: {@link kept} is to be called. Requests behind it
   * wait as they wait for reads.
   */
  addProlonged(): Slot {
    const slot = new Slot('promised');
    slot.isRead = true;
    this.reads++;
    this.slots.unshift(slot);
    return slot;
  }

  /** Whether the reply to the read whose turn it is may come later: items complete when they are applied. */
  get mayProlong(): boolean {
    return this.items === 0 && this.forwarded === 0 && this.returning === undefined;
  }

  /** Requests are held up until the last slot is done. */
  holdLast(): void {
    const last = this.slots.peekBack();
    if (last !== undefined) this.hold(last, false);
  }

  private hold(slot: Slot, blocks: boolean): void {
    slot.blocks = blocks;
    this.holder = slot;
  }

  // ---- completing ----

  /** The first item has its reply; undefined where nobody waits for one. */
  itemDone(reply: Reply | undefined, isApplied: boolean): void {
    this.items--;
    this.wasApplied = isApplied;
    this.countDown();
    if (this.returning !== undefined) this.refuseReturning();
    if (reply !== undefined) this.owner.encode(reply);
    // Mostly the next slot waits for an item, too.
    if (this.items === 0 || this.slots.peekFront()?.isReady === true) this.advance();
    this.owner.moved();
  }

  /**
   * The first item was refused before anything happened: it is put back, and what stands behind it.
   *
   * @param request undefined where nobody waits for a reply
   */
  itemReturned(request: PutBack | undefined): void {
    this.items--;
    this.wasApplied = false;
    this.countDown();
    this.putBack(request);
    this.advance();
    this.owner.moved();
  }

  /** The read whose turn it is cannot run here: it is put back, and what stands behind it. */
  putBack(request: PutBack | undefined): void {
    this.returning ??= [];
    if (request !== undefined) this.returning.push(request);
  }

  /** The read whose turn it is has an error for an answer. */
  refuse(error: ErrorReply): void {
    if (this.returning === undefined) this.owner.encode(error);
    else this.returning.push({ reply: error });
  }

  /** An item behind those that were put back is in the log: to run these anew would change the order. */
  private refuseReturning(): void {
    const requests = this.returning!;
    this.returning = undefined;
    for (const request of requests) this.owner.encode('reply' in request ? request.reply : this.refusal());
  }

  readReady(slot: Slot): void {
    slot.isReady = true;
    if (this.advance()) this.owner.moved();
  }

  readRefused(slot: Slot, refusal: ErrorReply): void {
    slot.refusal = refusal;
    this.readReady(slot);
  }

  /** What was promised; undefined for no reply at all. */
  kept(slot: Slot, reply: Reply | undefined): void {
    slot.reply = reply;
    slot.isReady = true;
    this.advance();
    this.owner.moved();
  }

  /** Bytes of the first forwarded reply. */
  relay(bytes: Buffer, isEnd: boolean): void {
    this.owner.writeRaw(bytes, false);
    this.isWithinReply = !isEnd;
    if (isEnd) this.forwardedDone();
  }

  /** A reply of this node's own in place of the first forwarded one. */
  forwardedLost(reply: ErrorReply): void {
    this.owner.encode(reply);
    this.forwardedDone();
  }

  /**
   * The last requests that were forwarded have done nothing: they will be asked again, here or elsewhere.
   *
   * @returns what leaves the queue with them, in its order: refusals of this node may stand between
   */
  takenBack(requests: readonly ForwardedRequest[]): PutBack[] {
    const back: PutBack[] = [];
    for (let left = requests.length; left > 0; ) {
      const last = this.slots.peekBack()!;
      if (last.kind === 'forwarded') {
        back.push(requests[--left]);
        this.forwarded--;
        if (--last.count > 0) continue;
      } else {
        // All but known replies waits until what was forwarded is answered.
        back.push({ reply: last.reply! });
      }
      this.slots.pop();
      if (this.holder === last) this.holder = undefined;
    }
    return back.reverse();
  }

  private forwardedDone(): void {
    this.forwarded--;
    this.countDown();
    this.pushBytes = 0;
    for (const bytes of this.pushes.splice(0)) this.owner.writeRaw(bytes, true);
    this.advance();
  }

  /** One of what the first slot stands for is done. */
  private countDown(): void {
    const first = this.slots.peekFront()!;
    if (--first.count > 0) return;
    this.slots.shift();
    if (this.holder === first) this.holder = undefined;
  }

  /** Writes an out-of-band message, as soon as no reply is half written. */
  push(bytes: Buffer): void {
    if (!this.isWithinReply) {
      this.owner.writeRaw(bytes, true);
      return;
    }
    this.pushes.push(bytes);
    this.pushBytes += bytes.length;
  }

  /**
   * Gives the slots their turn whose time has come, while the client takes what they answer. To be called
   * again when it has read.
   *
   * @returns whether any slot was done
   */
  advance(): boolean {
    if (this.isAdvancing) return false;
    this.isAdvancing = true;
    let any = false;
    for (let first = this.slots.peekFront(); first?.isReady === true; first = this.slots.peekFront()) {
      if (first.kind === 'read' && this.returning === undefined && !this.mayRun(first)) break;
      this.slots.shift();
      this.turn(first);
      any = true;
    }
    this.isAdvancing = false;
    if (this.returning !== undefined && this.slots.length === 0) {
      const requests = this.returning;
      this.returning = undefined;
      this.owner.runAnew(requests);
    }
    return any;
  }

  private turn(slot: Slot): void {
    if (this.holder === slot) this.holder = undefined;
    if (slot.isRead) this.reads--;
    const refusal = this.returning === undefined ? slot.refusal : this.refusal();
    if (slot.behindItem !== undefined) {
      slot.behindItem(this.wasApplied, refusal);
    } else if (slot.step !== undefined) {
      this.reads--;
      slot.step(refusal);
    } else if (slot.reply !== undefined) {
      if (this.returning === undefined) this.owner.encode(slot.reply);
      else this.putBack({ reply: slot.reply });
    }
  }

  private mayRun(slot: Slot): boolean {
    if (this.owner.mayRead()) return true;
    // Before the client's next item the state must not be another one.
    if (this.items > 0) {
      this.owner.mustRead();
      return true;
    }
    if (slot.behindItem !== undefined) {
      // It has seen its item, and may run later, but before the next.
      const { behindItem } = slot;
      const isApplied = this.wasApplied;
      slot.behindItem = undefined;
      slot.step = (refusal) => behindItem(isApplied, refusal);
      this.reads++;
    }
    return false;
  }
}
