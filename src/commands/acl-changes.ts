/**
 * What changes users: ACL SETUSER, DELUSER, LOAD, and `requirepass`. All go through the log, with passwords
 * as hashes.
 */
import {
  DEFAULT_USER,
  type Engine,
  type EntryBuilder,
  ErrorReply,
  ItemKind,
  mayDoEverything,
  type Reply,
  type Request,
  RuleError,
  type Session,
  User,
} from '../../engine/index.js';
import { type AccessControl, passwordHash, requirepassRules } from '../client/access.js';
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
    /** A change is proposed: nothing that was judged before it may stand behind it. */
    changeBegins(): void;
    changeEnded(): void;
  };
  refuseWrite(needsMemory: boolean): ErrorReply | undefined;
  proposeItem(bytes: number, add: (builder: EntryBuilder) => number): Promise<Reply>;
}

/** The users that a change finds: those of the node, or what a transaction has made of them so far. */
export interface KnownUsers {
  user(name: string): User | undefined;
  /** Whether the cluster has users of its own. */
  readonly haveChanged: boolean;
  /** Whether new users may use all channels, where a transaction has said so before this change. */
  readonly channelsByDefault?: boolean | undefined;
}

/** A change of users as the log takes it: see {@link ItemKind} for its words. */
export interface UserChange {
  readonly kind: typeof ItemKind.setUser | typeof ItemKind.deleteUsers | typeof ItemKind.replaceUsers;
  readonly words: readonly string[];
}

/** Works out a change, or why there can be none. Changes nothing. */
export type PrepareUsers = (
  request: Request,
  server: UserAdministration,
  known: KnownUsers,
) => UserChange | ErrorReply;

/** Why the default user may not become one that asks clients for anything: peers would be let in for less. */
function refuseLimits(server: UserAdministration, user: User): ErrorReply | undefined {
  if (user.name !== DEFAULT_USER) return undefined;
  const limits = !user.isOn || !user.hasNoPassword || !mayDoEverything(user);
  const reason = limits && !server.access.limitsClients ? server.users.refusesLimits() : undefined;
  return reason === undefined ? undefined : new ErrorReply(`ERR ${reason}`);
}

/** A request's arguments from one on. */
export function wordsFrom(request: Request, first: number): string[] {
  return Array.from({ length: request.count - first }, (_, i) => request.latin1(first + i));
}

/** ACL SETUSER. */
export const prepareUser: PrepareUsers = (request, server, known) => {
  const { access, users } = server;
  const name = request.latin1(2);
  const refusal = checkUserName(name);
  if (refusal !== undefined) return refusal;
  const rules = joinSelectors(wordsFrom(request, 3));
  if (rules instanceof ErrorReply) return rules;
  const allChannels = known.channelsByDefault ?? users.channelsByDefault;
  let before = known.user(name);
  if (before === undefined) {
    before = new User(name);
    before.selectors[0].allChannels = allChannels;
  }
  const changed = changedUser(access, before, rules, allChannels);
  if (changed instanceof RuleError) return replies.userRule(changed.rule, changed.reason);
  const limited = refuseLimits(server, changed.user);
  if (limited !== undefined) return limited;
  return ruling(name, [...unseededRules(server, known, name), ...changed.rules], allChannels);
};

/** While the node's own password stands for the default user's, a change of that user takes it along. */
function unseededRules(server: UserAdministration, known: KnownUsers, name: string): readonly string[] {
  const password = server.configuration.text('requirepass');
  if (name !== DEFAULT_USER || known.haveChanged || password === '') return [];
  return requirepassRules(password);
}

const ruling = (name: string, rules: readonly string[], allChannels: boolean): UserChange => ({
  kind: ItemKind.setUser,
  words: [name, allChannels ? '1' : '0', ...rules],
});

/** ACL DELUSER: the reply is how many there were. */
export const prepareDeletion: PrepareUsers = (request) => {
  const words = wordsFrom(request, 2);
  return words.includes(DEFAULT_USER) ? replies.defaultUserStays : { kind: ItemKind.deleteUsers, words };
};

/** These users in place of all there are; or why clients may not be limited so. */
export function replacement(server: UserAdministration, users: readonly User[]): UserChange | ErrorReply {
  for (const user of users) {
    const limited = refuseLimits(server, user);
    if (limited !== undefined) return limited;
  }
  return replacing(users);
}

const replacing = (users: readonly User[]): UserChange => ({
  kind: ItemKind.replaceUsers,
  words: users.flatMap(({ name, rules }) => [name, `${rules.length}`, ...rules]),
});

/** What a founder's configuration says. */
export function setUsers(server: UserAdministration, users: readonly User[]): Promise<Reply> {
  return proposeUsers(server, replacing(users));
}

/** Has the log take a change. Until it is applied, nobody proposes what was judged by the users before it. */
export function proposeUsers(server: UserAdministration, { kind, words }: UserChange): Promise<Reply> {
  const bytes = encodeRequest(words);
  server.users.changeBegins();
  return server
    .proposeItem(bytes.length, (builder) => builder.users(server.session, kind, bytes))
    .finally(() => server.users.changeEnded());
}

/** Why `requirepass` may not be this, or undefined. */
export function refusePassword(server: UserAdministration, password: string): ErrorReply | undefined {
  const user = server.access.user(DEFAULT_USER)!.copy();
  for (const rule of requirepassRules(password)) user.apply(rule, server.access.commands, false);
  return refuseLimits(server, user);
}

/** CONFIG SET requirepass, and what a founder's configuration says. */
export function setPassword(server: UserAdministration, password: string): Promise<Reply> {
  return proposeUsers(server, ruling(DEFAULT_USER, requirepassRules(password), false));
}
