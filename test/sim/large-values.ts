/**
 * Values of up to 8 MB. Plans and histories hold their short names, `v12*8000000`; what goes over the wire
 * is the name and so many dots behind it. A value that comes back cut, mixed or longer is found at once.
 */
import type { Reply } from '../linearizability/history.js';

const namePattern = /^(v\d+\*(\d+))(\.*)$/;

/** The command as it is sent. */
export function expandLarge(command: readonly string[]): readonly string[] {
  if (!command.some((word) => word.includes('*'))) return command;
  return command.map((word) => {
    const match = namePattern.exec(word);
    return match === null || match[3] !== '' ? word : word + '.'.repeat(Number(match[2]));
  });
}

/**
 * The reply with names in the place of values.
 *
 * @throws Error for what is no value of its name
 */
export function collapseLarge(reply: Reply): Reply {
  if (Array.isArray(reply)) return reply.map(collapseLarge);
  if (typeof reply !== 'string' || !/^v\d+\*/.test(reply)) return reply;
  const match = namePattern.exec(reply);
  if (match === null || match[3]!.length !== Number(match[2]))
    throw new Error(`a value of ${reply.length} bytes that begins with ${reply.slice(0, 20)}`);
  return match[1]!;
}
