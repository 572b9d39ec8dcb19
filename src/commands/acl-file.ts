/** Users as files have them: `--aclfile`, and `user` lines of a config file. */
import fs from 'node:fs';
import { ErrorReply, RuleError, User } from '../../engine/index.js';
import type { AccessControl } from '../client/access.js';
import { splitInline } from '../resp/inline.js';
import { changedUser, checkUserName, joinSelectors } from './acl-changes.js';

/** What is wrong with a line. */
export class UserLineError extends Error {
  override readonly name = 'UserLineError';
}

/**
 * The users that lines name, each behind the word `user`; words in quotes are those of inline commands.
 *
 * @param lines with the place of each, for errors
 * @throws UserLineError
 */
export function usersOf(
  access: AccessControl,
  lines: readonly { readonly text: string; readonly place: string }[],
  channelsByDefault: boolean,
): User[] {
  const users = new Map<string, User>();
  for (const { text, place } of lines) {
    const fail = (why: string): never => {
      throw new UserLineError(`${place}: ${why}`);
    };
    // Words are latin1, as clients' are; a file is in UTF-8.
    const words = splitInline(Buffer.from(text).toString('latin1')) ?? fail('unbalanced quotes');
    if (words.length < 2 || words[0].toLowerCase() !== 'user') fail('a line begins with: user NAME');
    const name = words[1];
    if (checkUserName(name) !== undefined) fail('a user name has no spaces');
    if (users.has(name)) fail(`the user '${name}' is there twice`);
    const rules = joinSelectors(words.slice(2));
    if (rules instanceof ErrorReply) return fail(rules.text.replace(/^ERR /, ''));
    const fresh = name === 'default' ? User.default() : new User(name);
    if (name !== 'default') fresh.selectors[0].allChannels = channelsByDefault;
    const changed = changedUser(access, fresh, rules, channelsByDefault);
    if (changed instanceof RuleError) return fail(`${changed.reason} (in a rule of '${name}')`);
    users.set(name, changed.user);
  }
  return [...users.values()];
}

/** {@link usersOf} a file. @throws UserLineError, and the system's error where it cannot be read */
export function readUsers(access: AccessControl, path: string, channelsByDefault: boolean): User[] {
  const lines = fs
    .readFileSync(path, 'utf8')
    .split(/\r?\n/)
    .map((text, i) => ({ text: text.trim(), place: `${path}:${i + 1}` }))
    .filter(({ text }) => text !== '' && !text.startsWith('#'));
  return usersOf(access, lines, channelsByDefault);
}

/** Writes all users to a file, in one step: whoever reads it sees the old text or the new one. */
export function writeUsers(access: AccessControl, path: string): void {
  const text = access
    .all()
    .map((user) => `${access.commands.line(user)}\n`)
    .join('');
  const fresh = `${path}.new`;
  fs.rmSync(fresh, { force: true });
  const file = fs.openSync(fresh, 'wx', 0o600);
  try {
    fs.writeFileSync(file, Buffer.from(text, 'latin1'));
    fs.fsyncSync(file);
  } finally {
    fs.closeSync(file);
  }
  fs.renameSync(fresh, path);
}
