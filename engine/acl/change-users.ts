/** Changes of users as entries carry them. */
import { ItemKind } from '../log/entry.js';
import { errors } from '../protocol/errors.js';
import { OK, type Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import type { RuleError } from './user.js';
import type { Users } from './users.js';

/** Applies an item whose kind is one of users: see {@link ItemKind} for its words. */
export function changeUsers(users: Users, kind: ItemKind, request: Request): Reply {
  const words = Array.from({ length: request.count }, (_, i) => request.latin1(i));
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
