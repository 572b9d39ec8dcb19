/** The users as the commands of one transaction find them, each at its place. */
import { changeUsers, type Permissions, parseTrusted, Request, User, Users } from '../../engine/index.js';
import type { KnownUsers, UserChange } from '../commands/acl-changes.js';
import { encodeRequest } from '../resp/encode-request.js';
import type { AccessControl } from './access.js';

/** A copy of the node's users, which takes up one change after the other, as EXEC will. */
export class TransactionUsers implements KnownUsers {
  /** What a CONFIG SET of the transaction makes of `acl-pubsub-default`. */
  channelsByDefault: boolean | undefined;
  private readonly users = new Users();
  private readonly request = new Request();

  constructor(private readonly access: AccessControl) {
    this.users.replace(access.all().map(({ name, rules }) => [name, rules]));
    this.users.haveChanged = access.haveChanged;
  }

  get haveChanged(): boolean {
    return this.users.haveChanged;
  }

  user(name: string): User | undefined {
    return this.users.get(name);
  }

  take({ kind, words }: UserChange): void {
    parseTrusted(encodeRequest(words), 0, this.request);
    changeUsers(this.users, kind, this.request);
  }

  accepts(name: string, password: string): boolean {
    return this.access.accepts(name, password, this.user(name));
  }

  permissions(name: string): Permissions {
    return this.access.commands.permissionsOf(this.user(name) ?? new User(name));
  }
}
