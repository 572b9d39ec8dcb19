/**
 * Keyspace notifications (https://redis.io/docs/latest/develop/use/keyspace-notifications/): each node tells
 * its own subscribers, in apply, what happens to keys. Which classes are told is a setting of the cluster.
 */
import { type KeyEvent, type Keyspace, keyEventLetters, type View, viewOf } from '../../engine/index.js';

const KEYSPACE_CHANNELS = 1 << keyEventLetters.indexOf('K');
const KEYEVENT_CHANNELS = 1 << keyEventLetters.indexOf('E');

export class KeyspaceNotifications {
  private bits = 0;
  private keyspace: Keyspace | undefined;
  private stopListening: (() => void) | undefined;

  /**
   * @param publish delivers to this node's subscribers of a channel
   * @param hasSubscribers whether there are any, of whatever: if not, nothing is to be made for them
   */
  constructor(
    private readonly publish: (channel: View, message: View) => void,
    private readonly hasSubscribers: () => boolean,
  ) {}

  /**
   * Listens to a keyspace, in place of the one before, for the classes that its settings name. Without any it
   * does not listen.
   */
  follow(keyspace: Keyspace): void {
    this.bits = keyspace.settings['notify-keyspace-events'];
    const wanted = (this.bits & (KEYSPACE_CHANNELS | KEYEVENT_CHANNELS)) === 0 ? undefined : keyspace;
    if (this.keyspace === wanted) return;
    this.stopListening?.();
    this.keyspace = wanted;
    this.stopListening = wanted?.listen({
      happened: (database, key, event) => this.tell(database, key, event),
    });
  }

  private tell(database: number, key: View, event: KeyEvent): void {
    if (!this.hasSubscribers()) return;
    if ((this.bits & (1 << keyEventLetters.indexOf(event.class))) === 0) return;
    if ((this.bits & KEYSPACE_CHANNELS) !== 0)
      this.publish(viewOf(`__keyspace@${database}__:${key.latin1()}`), viewOf(event.name));
    if ((this.bits & KEYEVENT_CHANNELS) !== 0)
      this.publish(viewOf(`__keyevent@${database}__:${event.name}`), key);
  }
}
