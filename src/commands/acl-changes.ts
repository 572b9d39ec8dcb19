/**
 * What changes users: ACL SETUSER, DELUSER, LOAD, and `requirepass`. All go through the log, with passwords
 * as hashes.
 */
import {
  type Engine,
  type EntryBuilder,
  ErrorReply,
  ItemKind,
  mayDoEverything,
  type Reply,
  RuleError,
  type Session,
  User,
} from '../../engine/index.js';
import { type AccessControl, DEFAULT_USER, passwordHash, requirepassRules } from '../client/access.js';
import type { Configuration } from '../config/configuration.js';
import { replies } from '../replies.js';
import { encodeRequest } from '../resp/encode-request.js';

/** White space, as C's isspace has it, and NUL. */
const hasSpaces = (text: string): boolean => /[ \t-\r\0]/.test(text);

/**
 * A selector's words as one rule: from the word that begins with a parenthesis to the one that ends with one.
 */
export function joinSelectors(words: readonly string[]): string[] | ErrorReply {
  const rules: string[] = [];
  let open: string[] | undefined;
  for (const word of words) {
    if (open === undefined && word[0] === '(') open = [];
    if (open === undefined) {
      rules.push(word);
      continue;
    }
    open.push(word);
    if (!word.endsWith(')')) continue;
    rules.push(open.join(' '));
    open = undefined;
  }
  return open === undefined ? rules : replies.unmatchedParenthesis(open[0]);
}

/** A rule as the log takes it: no password in clear. */
function withoutPassword(rule: string): string {
  if (rule[0] === '>') return `#${passwordHash(rule.slice(1))}`;
  if (rule[0] === '<') return `!${passwordHash(rule.slice(1))}`;
  return rule;
}

/**
 * A user after `rules`, each as it was written, and the rules as the log takes them; or which one is refused.
 */
export function changedUser(
  access: AccessControl,
  user: User,
  rules: readonly string[],
  channelsByDefault: boolean,
): { readonly user: User; readonly rules: readonly string[] } | RuleError {
  const changed = user.copy();
  const logged: string[] = [];
  for (const rule of rules) {
    const hashed = withoutPassword(rule);
    const error = changed.apply(hashed, access.commands, channelsByDefault);
    if (error !== undefined) return new RuleError(rule, error.reason);
    logged.push(hashed);
  }
  return { user: changed, rules: logged };
}

export function checkUserName(name: string): ErrorReply | undefined {
  return hasSpaces(name) ? replies.badUserName : undefined;
}

/** What changes of users ask of the node. */
export interface UserAdministration {
  readonly access: AccessControl;
  readonly configuration: Configuration;
  readonly engine: Engine;
  readonly session: Session;
  readonly users: {
    /** Whether new users may use all channels. */
    readonly channelsByDefault: boolean;
    /** Why clients may not be limited to less than peers can do, undefined if they may. */
    refusesLimits(): string | undefined;
  };
  refuseWrite(needsMemory: boolean): ErrorReply | undefined;
  proposeItem(bytes: number, add: (builder: EntryBuilder) => number): Promise<Reply>;
}

/** Why the default user may not become one that asks clients for anything: peers would be let in for less. */
function refuseLimits(server: UserAdministration, name: string, user: User): ErrorReply | undefined {
  if (name !== DEFAULT_USER) return undefined;
  const limits = !user.isOn || !user.hasNoPassword || !mayDoEverything(user);
  const reason = limits && !server.access.limitsClients ? server.users.refusesLimits() : undefined;
  return reason === undefined ? undefined : new ErrorReply(`ERR ${reason}`);
}

/** ACL SETUSER: `words` as the client gave them. */
export function setUser(
  server: UserAdministration,
  name: string,
  words: readonly string[],
): Promise<Reply> | ErrorReply {
  const { access } = server;
  const refusal = server.refuseWrite(false) ?? checkUserName(name);
  if (refusal !== undefined) return refusal;
  const rules = joinSelectors(words);
  if (rules instanceof ErrorReply) return rules;
  const allChannels = server.users.channelsByDefault;
  const before = server.access.user(name) ?? new User(name);
  if (access.user(name) === undefined) before.selectors[0].allChannels = allChannels;
  const changed = changedUser(access, before, rules, allChannels);
  if (changed instanceof RuleError) return replies.userRule(changed.rule, changed.reason);
  const limited = refuseLimits(server, name, changed.user);
  if (limited !== undefined) return limited;
  return proposeUser(server, name, [...unseededRules(server, name), ...changed.rules], allChannels);
}

/** While the node's own password stands for the default user's, a change of that user takes it along. */
function unseededRules(server: UserAdministration, name: string): readonly string[] {
  const password = server.configuration.text('requirepass');
  if (name !== DEFAULT_USER || server.engine.users.haveChanged || password === '') return [];
  return requirepassRules(password);
}

function proposeUser(
  server: UserAdministration,
  name: string,
  rules: readonly string[],
  allChannels: boolean,
): Promise<Reply> {
  const words = encodeRequest([name, allChannels ? '1' : '0', ...rules]);
  return server.proposeItem(words.length, (builder) =>
    builder.users(server.session, ItemKind.setUser, words),
  );
}

/** ACL DELUSER. Resolves with how many there were. */
export function deleteUsers(
  server: UserAdministration,
  names: readonly string[],
): Promise<Reply> | ErrorReply {
  const refusal = server.refuseWrite(false);
  if (refusal !== undefined) return refusal;
  if (names.includes(DEFAULT_USER)) return replies.defaultUserStays;
  const words = encodeRequest(names);
  return server.proposeItem(words.length, (builder) =>
    builder.users(server.session, ItemKind.deleteUsers, words),
  );
}

/** Why `requirepass` may not be this, or undefined. */
export function refusePassword(server: UserAdministration, password: string): ErrorReply | undefined {
  const user = server.access.user(DEFAULT_USER)!.copy();
  for (const rule of requirepassRules(password)) user.apply(rule, server.access.commands, false);
  return refuseLimits(server, DEFAULT_USER, user);
}

/** CONFIG SET requirepass, and what a founder's configuration says. */
export function setPassword(server: UserAdministration, password: string): Promise<Reply> {
  return proposeUser(server, DEFAULT_USER, requirepassRules(password), false);
}

/** Users in place of all there are. */
export function replaceUsers(server: UserAdministration, users: readonly User[]): Promise<Reply> {
  const words = encodeRequest(users.flatMap(({ name, rules }) => [name, `${rules.length}`, ...rules]));
  return server.proposeItem(words.length, (builder) =>
    builder.users(server.session, ItemKind.replaceUsers, words),
  );
}
