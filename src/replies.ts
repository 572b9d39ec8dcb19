/**
 * Error replies of the program: connection, transaction, cluster. Redis 7.0.15's own words where Redis has
 * them.
 */
import type { Socket } from 'node:net';
import { ErrorReply, errors, quoted } from '../engine/index.js';
import type { LeaderAddress } from './discovery/client-addresses.js';
import { isOverTls } from './net/client-socket.js';

/**
 * The command is the leader's, and this node does not lead: nothing has happened, so that another node may be
 * asked.
 */
export class NotLeading extends ErrorReply {
  /** @param tlsText where a client that speaks TLS is told another address */
  constructor(
    text: string,
    private readonly tlsText = text,
  ) {
    super(text);
  }

  /** In the words for clients of a socket's kind. */
  saidTo(socket: Socket): NotLeading {
    return this.tlsText === this.text || !isOverTls(socket) ? this : new NotLeading(this.tlsText);
  }

  /** The same with other words around the address. */
  within(words: (text: string) => string): NotLeading {
    return new NotLeading(words(this.text), words(this.tlsText));
  }
}

const error = (text: string): ErrorReply => new ErrorReply(text);

const deniedSinceReasons = {
  command: 'no permission to execute the command or subcommand',
  key: 'no permission to touch the specified keys',
  channel: 'no permission to access one of the channels used as arguments',
} as const;

export const replies = {
  noAuth: error('NOAUTH Authentication required.'),
  wrongPass: error('WRONGPASS invalid username-password pair or user is disabled.'),
  denied: errors.denied,
  /** EXEC's answer for a command that its user was allowed when it was queued. */
  deniedSince: (reason: 'command' | 'key' | 'channel'): ErrorReply =>
    error(
      `NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: ${deniedSinceReasons[reason]}`,
    ),
  userRule: errors.userRule,
  unmatchedParenthesis: (word: string): ErrorReply =>
    error(`ERR Unmatched parenthesis in acl selector starting at '${quoted(word)}'.`),
  badUserName: error("ERR Usernames can't contain spaces or null characters"),
  defaultUserStays: error("ERR The 'default' user cannot be removed"),
  noSuchUser: (name: string): ErrorReply => error(`ERR User '${quoted(name)}' not found`),
  noAclFile: error(
    'ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration.',
  ),
  noPassword: error(
    'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
  ),
  notInMulti: error('ERR Command not allowed inside a transaction'),
  monitorMode: new ErrorReply("ERR Replica can't interact with the keyspace"),
  subscriberMode: (name: string): ErrorReply =>
    error(
      `ERR Can't execute '${name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`,
    ),
  nestedMulti: errors.nestedMulti,
  execWithoutMulti: errors.execWithoutMulti,
  discardWithoutMulti: errors.discardWithoutMulti,
  watchInsideMulti: errors.watchInsideMulti,
  notInTransaction: (name: string): ErrorReply => error(`ERR ${name} is not allowed in transactions`),
  execAborted: errors.execAborted,
  execAbortedBecause: (cause: ErrorReply): ErrorReply => {
    const aborted = (text: string): string =>
      `EXECABORT Transaction discarded because of: ${text.replace(/^ERR /, '')}`;
    return cause instanceof NotLeading ? cause.within(aborted) : error(aborted(cause.text));
  },
  unsupportedProtocol: error('NOPROTO unsupported protocol version'),
  protocolNotInteger: error('ERR Protocol version is not an integer or out of range'),
  helloWithoutAuth: error(
    'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time',
  ),
  invalidClientName: error('ERR Client names cannot contain spaces, newlines or special characters.'),
  clientIdNotPositive: error('ERR client-id should be greater than 0'),
  noSuchClient: error('ERR No such client'),
  timeoutNotInteger: error('ERR timeout is not an integer or out of range'),
  timeoutNegative: error('ERR timeout is negative'),
  unrecognizedAttribute: (attribute: string): ErrorReply =>
    error(`ERR Unrecognized option '${quoted(attribute)}'`),
  invalidAttribute: (attribute: string): ErrorReply =>
    error(`ERR ${attribute} cannot contain spaces, newlines or special characters.`),
  debugNotAllowed: error(
    'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.',
  ),
  /** What containers answer to a subcommand that got more than it takes. */
  unknownArguments: (subcommand: string, container: string): ErrorReply =>
    error(
      `ERR unknown subcommand or wrong number of arguments for '${quoted(subcommand, 128)}'. Try ${container} HELP.`,
    ),
  internalError: (id: string): ErrorReply => error(`ERR internal error (see the log of this node for ${id})`),
  requestTooLarge: (bytes: number, maximumBytes: number): ErrorReply =>
    error(
      `ERR a write of ${bytes} bytes does not fit an entry of the log, which has at most ${maximumBytes}`,
    ),
  noRdbFile: (why: string): ErrorReply => error(`ERR no RDB file was written: ${why}`),
  diskFull: error(
    "MISCONF No space left on the disk of this node's log: until there is, only commands that need no memory are taken",
  ),
  outcomeUnknownDiskFull: error(
    'UNKNOWN the disk of this node is full, and it stops: the command may or may not have been applied',
  ),
  outcomeUnknownStopped: error(
    'UNKNOWN this node has failed, and stops: the command may or may not have been applied',
  ),
  loading: error('LOADING Redis is loading the dataset in memory'),
  waitsForCluster: error('LOADING Redraft waits for the cluster that it is to join'),
  tooManyClients: error('ERR max number of clients reached'),
  tooManyAuthentications: error(
    'WRONGPASS too many failed attempts from this address: try again in a minute',
  ),
  protectedMode: error(
    [
      'DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. In this mode connections are only accepted from the loopback interface. If you want to connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode sending the command ',
      `'CONFIG SET protected-mode no'`,
      ' from the loopback interface by connecting to Redis from the same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by editing the Redis configuration file, and setting the protected mode option to ',
      `'no'`,
      ', and then restarting the server. 3) If you started the server manually just for testing, restart it with the ',
      `'--protected-mode no'`,
      ' option. 4) Setup a an authentication password for the default user. NOTE: You only need to do one of the above things in order for the server to start accepting connections from the outside.',
    ].join(''),
  ),

  migrateKeyAndKeys: error(
    'ERR When using MIGRATE KEYS option, the key argument must be set to the empty string',
  ),
  migrateConnecting: error('IOERR error or timeout connecting to the client'),
  migrateWriting: error('IOERR error or timeout writing to target instance'),
  migrateReading: error('IOERR error or timeout reading to target instance'),
  migrateTarget: (text: string): ErrorReply => error(`ERR Target instance replied with error: ${text}`),
  /** Redis cannot come to this: it stands still while it migrates. */
  migrateChanged: (accepted: number, changed: number): ErrorReply =>
    error(
      `ERR Target instance took ${accepted} keys, but ${changed} of them changed here meanwhile and were not deleted`,
    ),

  /** The write went into the log of a leader that lost its office: it may or may not take effect. */
  outcomeUnknown: error(
    'UNKNOWN leadership was lost while the command was in flight: it may or may not have been applied',
  ),
  notEnoughFollowers: error('NOREPLICAS Not enough good replicas to write.'),
  /** What CLUSTER answers where the cluster's setting has the protocol off. */
  clusterDisabled: error('ERR This instance has cluster support disabled'),
  movedTo: (slot: number, { plain, tls }: LeaderAddress): ErrorReply =>
    new NotLeading(`MOVED ${slot} ${plain}`, `MOVED ${slot} ${tls}`),
  readOnlyReplica: new NotLeading("READONLY You can't write against a read only replica."),
  readsAtLeader: new NotLeading(
    'READONLY This node is a replica, and reads here are to be as fresh as the master.',
  ),
  /** A follower's answer to what only the leader may do. */
  tryLeader: ({ plain, tls }: LeaderAddress): ErrorReply => new NotLeading(`TRY ${plain}`, `TRY ${tls}`),
  noLeader: (reason: string): ErrorReply => new NotLeading(`CLUSTERDOWN ${reason}`),
  notAnAddress: (text: string): ErrorReply => error(`ERR '${text}' is no address: host:port, or a port`),
  unknownConsistency: error('ERR the level must be low, medium or high'),
  consistencyLowered: (level: string): ErrorReply =>
    error(`ERR reads of this node are ${level} at least: a connection can only raise that`),
  digestInterrupted: error('ERR a snapshot came in between: ask again'),
  indexPassed: (index: number, applied: number): ErrorReply =>
    error(`ERR index ${index} is passed: this node stands at ${applied}`),
  notLeader: (): ErrorReply => new NotLeading('CLUSTERDOWN no leader is known: an election is under way'),
};
