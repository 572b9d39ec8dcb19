/** Changes of users as entries carry them. */
import { ItemKind } from '../log/entry.js';
import { errors } from '../protocol/errors.js';
import { OK, type Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import type { RuleError } from './user.js';
import type { Users } from './users.js';

/** In place of the name of an ACL command that MULTI has queued: no client can queue what is no command. */
export const QUEUED_USERS = '\0USERS';

/** Applies an item whose kind is one of users: see {@link ItemKind} for its words. */
export function changeUsers(users: Users, kind: number, request: Request): Reply {
  return change(users, kind, wordsFrom(request, 0));
}

/**
 * Applies a change of users at its place in EXEC: {@link QUEUED_USERS}, the kind, the words of such an item.
 * Undefined where the request is another.
 */
export function changeQueuedUsers(users: Users, request: Request): Reply | undefined {
  if (!request.is(0, QUEUED_USERS)) return undefined;
  return change(users, Number(request.latin1(1)), wordsFrom(request, 2));
}

const wordsFrom = (request: Request, first: number): string[] =>
  Array.from({ length: request.count - first }, (_, i) => request.latin1(first + i));

function change(users: Users, kind: number, words: readonly string[]): Reply {
  if (kind === ItemKind.deleteUsers) return users.delete(words);
  let error: RuleError | undefined;
  if (kind === ItemKind.setUser) {
    const [name, allChannels, ...rules] = words;
    error = users.set(name, rules, allChannels === '1');
  } else {
    const replaced: (readonly [string, readonly string[]])[] = [];
    for (let i = 0; i + 1 < words.length; ) {
      const rulesAt = i + 2;
      const count = Number(words[i + 1]);
      replaced.push([words[i], words.slice(rulesAt, rulesAt + count)]);
      i = rulesAt + count;
    }
    error = users.replace(replaced);
  }
  return error === undefined ? OK : errors.userRule(error.rule, error.reason);
}
