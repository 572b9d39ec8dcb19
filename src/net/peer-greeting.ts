/** Tells peers from clients by their first command: both come in on one port. */

/** How a peer's first command begins: RAFTPEER with its six arguments. */
const beginning = Buffer.from('*7\r\n$8\r\nRAFTPEER\r\n', 'latin1');
/** No greeting of a peer is longer. */
const greetingBytesMax = 1024;

export interface PeerGreeting {
  readonly args: readonly string[];
  /** What came behind it. */
  readonly head: Buffer;
}

/**
 * Reads the first bytes of a connection: a peer's greeting, `more` while they may become one, undefined for a
 * client.
 */
export function readPeerGreeting(bytes: Buffer): PeerGreeting | 'more' | undefined {
  const known = Math.min(bytes.length, beginning.length);
  if (bytes.compare(beginning, 0, known, 0, known) !== 0) return undefined;
  if (bytes.length < beginning.length) return 'more';
  const args: string[] = [];
  let at = beginning.length;
  while (args.length < 6) {
    const end = bytes.indexOf('\r\n', at, 'latin1');
    if (end < 0) return bytes.length < greetingBytesMax ? 'more' : undefined;
    const match = /^\$(\d{1,3})$/.exec(bytes.latin1Slice(at, end));
    if (match === null) return undefined;
    const start = end + 2;
    at = start + Number(match[1]) + 2;
    if (bytes.length < at) return 'more';
    args.push(bytes.latin1Slice(start, at - 2));
  }
  return { args, head: Buffer.from(bytes.subarray(at)) };
}
