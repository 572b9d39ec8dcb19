/** Every error text that the engine answers, in Redis 7.0.15's own words where Redis has them. */
import { ErrorReply } from './error-reply.js';

const error = (text: string): ErrorReply => new ErrorReply(text);

/**
 * What a client sent, as Redis quotes it in an error: as a C string, which ends at its first NUL byte.
 *
 * @param longest most bytes that are quoted, where Redis has such a bound (`%.128s`)
 */
export const quoted = (text: string, longest = Number.POSITIVE_INFINITY): string =>
  text.split('\0', 1)[0].slice(0, longest);

export const errors = {
  wrongType: error('WRONGTYPE Operation against a key holding the wrong kind of value'),
  syntax: error('ERR syntax error'),
  noSuchKey: error('ERR no such key'),
  notInteger: error('ERR value is not an integer or out of range'),
  notInt32: error('ERR value is out of range, value must between -2147483648 and 2147483647'),
  idleTimeUnderLfu: error(
    'ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.',
  ),
  frequencyWithoutLfu: error(
    'ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.',
  ),
  outOfRange: error('ERR value is out of range'),
  outOfLongRange: error(
    'ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807',
  ),
  mustBePositive: error('ERR value is out of range, must be positive'),
  notFloat: error('ERR value is not a valid float'),
  overflow: error('ERR increment or decrement would overflow'),
  decrementOverflow: error('ERR decrement would overflow'),
  nanOrInfinity: error('ERR value is NaN or Infinity'),
  hashValueNotInteger: error('ERR hash value is not an integer'),
  hashValueNotFloat: error('ERR hash value is not a float'),
  keyCountNotPositive: error('ERR numkeys should be greater than 0'),
  keyCountTooLarge: error("ERR Number of keys can't be greater than number of args"),
  limitNegative: error("ERR LIMIT can't be negative"),
  notANumberOrInfinity: error('ERR increment would produce NaN or Infinity'),
  textTooLong: error('ERR an argument or element is too long for this command'),
  repliesTooMany: error('ERR value is out of range, the reply would have too many elements'),
  stringTooLong: error('ERR string exceeds maximum allowed size (proto-max-bulk-len)'),
  offsetOutOfRange: error('ERR offset is out of range'),
  sameObject: error('ERR source and destination objects are the same'),
  databaseOutOfRange: error('ERR DB index is out of range'),
  invalidDatabase: error('ERR invalid DB index'),
  invalidFirstDatabase: error('ERR invalid first DB index'),
  invalidSecondDatabase: error('ERR invalid second DB index'),
  invalidCursor: error('ERR invalid cursor'),
  unknownType: error('ERR unknown type name'),
  nxAndXxGtLt: error('ERR NX and XX, GT or LT options at the same time are not compatible'),
  gtAndLt: error('ERR GT and LT options at the same time are not compatible'),
  outOfMemory: error("OOM command not allowed when used memory > 'maxmemory'."),
  /** A rule of ACL SETUSER that is refused. */
  /** A user may not run the command of this full name. */
  denied: (reason: 'command' | 'key' | 'channel', name: string): ErrorReply =>
    error(
      reason === 'command'
        ? `NOPERM this user has no permissions to run the '${quoted(name)}' command`
        : `NOPERM this user has no permissions to access one of the ${reason}s used as arguments`,
    ),
  userRule: (rule: string, reason: string): ErrorReply =>
    error(`ERR Error in ACL SETUSER modifier '${quoted(rule)}': ${reason}`),
  contained: error('ERR internal error: the command failed before it changed anything'),
  execAborted: error('EXECABORT Transaction discarded because of previous errors.'),
  unblocked: error('UNBLOCKED client unblocked via CLIENT UNBLOCK'),
  forcedUnblock: error(
    'UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)',
  ),
  lcsLengthAndIndexes: error('ERR If you want both the length and indexes, please just use IDX.'),
  lcsNotStrings: error('ERR The specified keys must contain string values'),
  xxAndNx: error('ERR XX and NX options at the same time are not compatible'),
  gtLtAndNx: error('ERR GT, LT, and/or NX options at the same time are not compatible'),
  incrementPairs: error('ERR INCR option supports a single increment-element pair'),
  scoreNotANumber: error('ERR resulting score is not a number (NaN)'),
  boundNotFloat: error('ERR min or max is not a float'),
  boundNotString: error('ERR min or max not valid string range item'),
  limitByRank: error('ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX'),
  scoresByLex: error('ERR syntax error, WITHSCORES not supported in combination with BYLEX'),
  weightNotFloat: error('ERR weight value is not a float'),
  lcsTableTooLarge: error('ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len'),
  bitNotInteger: error('ERR bit is not an integer or out of range'),
  bitOffset: error('ERR bit offset is not an integer or out of range'),
  bitArgument: error('ERR The bit argument must be 1 or 0.'),
  bitopNotSources: error('ERR BITOP NOT must be called with a single source key.'),
  bitfieldType: error(
    'ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.',
  ),
  bitfieldOverflow: error('ERR Invalid OVERFLOW type specified'),
  bitfieldReadOnly: error('ERR BITFIELD_RO only supports the GET subcommand'),
  notHyperLogLog: error('WRONGTYPE Key is not a valid HyperLogLog string value.'),
  corruptHyperLogLog: error('INVALIDOBJ Corrupted HLL object detected'),
  hyperLogLogNotSparse: error('ERR HLL encoding is not sparse'),
  specifiedKeyAbsent: error('ERR The specified key does not exist'),
  scoresNotDoubles: error("ERR One or more scores can't be converted into double"),
  geoNoRadius: error('ERR need numeric radius'),
  geoNoWidth: error('ERR need numeric width'),
  geoNoHeight: error('ERR need numeric height'),
  geoNegativeRadius: error('ERR radius cannot be negative'),
  geoNegativeBox: error('ERR height or width cannot be negative'),
  geoUnit: error('ERR unsupported unit provided. please use M, KM, FT, MI'),
  geoMember: error('ERR could not decode requested zset member'),
  geoCount: error('ERR COUNT must be > 0'),
  geoAnyWithoutCount: error('ERR the ANY argument requires COUNT argument'),
  indexOutOfRange: error('ERR index out of range'),
  countNotPositive: error('ERR count should be greater than 0'),
  timeoutNotFloat: error('ERR timeout is not a float or out of range'),
  timeoutNegative: error('ERR timeout is negative'),
  timeoutOutOfRange: error('ERR timeout is out of range'),
  rankZero: error(
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list",
  ),
  countNegative: error("ERR COUNT can't be negative"),
  maxlenNegative: error("ERR MAXLEN can't be negative"),
  busyKey: error('BUSYKEY Target key name already exists.'),
  invalidTtl: error('ERR Invalid TTL value, must be >= 0'),
  invalidIdleTime: error('ERR Invalid IDLETIME value, must be >= 0'),
  invalidFrequency: error('ERR Invalid FREQ value, must be >= 0 and <= 255'),
  dumpFooter: error('ERR DUMP payload version or checksum are wrong'),
  dumpCorrupt: error('ERR Bad data format'),
  dumpTooLarge: error('ERR the value is too large to be dumped'),

  streamId: error('ERR Invalid stream ID specified as stream command argument'),
  streamIdZero: error('ERR The ID specified in XADD must be greater than 0-0'),
  streamIdsExhausted: error('ERR The stream has exhausted the last possible ID, unable to add more items'),
  streamIdTooSmall: error('ERR The ID specified in XADD is equal or smaller than the target stream top item'),
  streamEntryTooLarge: error('ERR Elements are too large to be stored'),
  streamMaxlenNegative: error('ERR The MAXLEN argument must be >= 0.'),
  streamLimitNegative: error('ERR The LIMIT argument must be >= 0.'),
  streamTwoStrategies: error(
    'ERR syntax error, MAXLEN and MINID options at the same time are not compatible',
  ),
  streamLimitAlone: error('ERR syntax error, LIMIT cannot be used without specifying a trimming strategy'),
  streamLimitExact: error('ERR syntax error, LIMIT cannot be used without the special ~ option'),
  streamNoStrategy: error('ERR syntax error, XTRIM must be called with a trimming strategy'),
  streamStart: error('ERR invalid start ID for the interval'),
  streamEnd: error('ERR invalid end ID for the interval'),
  streamEntriesAddedNegative: error('ERR entries_added must be positive'),
  streamSetIdBelowGiven: error(
    'ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id',
  ),
  streamSetIdBelowTop: error('ERR The ID specified in XSETID is smaller than the target stream top item'),
  streamSetIdLength: error(
    'ERR The entries_added specified in XSETID is smaller than the target stream length',
  ),
  streamTimeoutNotInteger: error('ERR timeout is not an integer or out of range'),
  streamGroupNotRead: error(
    'ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.',
  ),
  streamNoackNotRead: error(
    'ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.',
  ),
  streamGroupMissing: error('ERR Missing GROUP option for XREADGROUP'),
  streamLastInGroup: error(
    'ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.',
  ),
  streamNewNotInGroup: error(
    'ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.',
  ),
  streamGroupGone: error('NOGROUP the consumer group this client was blocked on no longer exists'),
  streamGone: error('UNBLOCKED the stream key no longer exists'),
  streamKeyNeeded: error(
    'ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.',
  ),
  streamEntriesRead: error('ERR value for ENTRIESREAD must be positive or -1'),
  streamGroupExists: error('BUSYGROUP Consumer Group name already exists'),
  streamClaimIdle: error('ERR Invalid IDLE option argument for XCLAIM'),
  streamClaimTime: error('ERR Invalid TIME option argument for XCLAIM'),
  streamClaimCount: error('ERR Invalid RETRYCOUNT option argument for XCLAIM'),
  streamMinIdle: (command: string): ErrorReply => error(`ERR Invalid min-idle-time argument for ${command}`),
  streamClaimOption: (option: string): ErrorReply =>
    error(`ERR Unrecognized XCLAIM option '${quoted(option)}'`),
  streamUnbalanced: error(
    "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.",
  ),
  streamNoGroup: (key: string, group: string, where = ''): ErrorReply =>
    error(`NOGROUP No such key '${quoted(key)}' or consumer group '${quoted(group)}'${where}`),
  streamNoSuchGroup: (group: string, key: string): ErrorReply =>
    error(`NOGROUP No such consumer group '${quoted(group)}' for key name '${quoted(key)}'`),
  subcommandSyntax: (subcommand: string, container: string): ErrorReply =>
    error(
      `ERR unknown subcommand or wrong number of arguments for '${quoted(subcommand, 128)}'. Try ${container} HELP.`,
    ),

  inputKeyNeeded: (command: string): ErrorReply =>
    error(`ERR at least 1 input key is needed for '${command}' command`),
  geoStoreWith: (command: string): ErrorReply =>
    error(`ERR ${command} is not compatible with WITHDIST, WITHHASH and WITHCOORD options`),
  geoFrom: (command: string): ErrorReply =>
    error(`ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ${command}`),
  geoBy: (command: string): ErrorReply =>
    error(`ERR exactly one of BYRADIUS and BYBOX can be specified for ${command}`),
  geoPosition: (longitude: string, latitude: string): ErrorReply =>
    error(`ERR invalid longitude,latitude pair ${longitude},${latitude}`),
  unknownPfdebug: (subcommand: string): ErrorReply =>
    error(`ERR Unknown PFDEBUG subcommand '${quoted(subcommand)}'`),
  invalidExpire: (command: string): ErrorReply => error(`ERR invalid expire time in '${command}' command`),
  nestedMulti: error('ERR MULTI calls can not be nested'),
  execWithoutMulti: error('ERR EXEC without MULTI'),
  discardWithoutMulti: error('ERR DISCARD without MULTI'),
  watchInsideMulti: error('ERR WATCH inside MULTI is not allowed'),
  needsCallback: (command: string): ErrorReply =>
    error(`ERR ${command} has no connection to push to: engine.subscribe() and psubscribe() take a callback`),
  wrongArity: (command: string): ErrorReply =>
    error(`ERR wrong number of arguments for '${command}' command`),
  unsupportedOption: (option: string): ErrorReply => error(`ERR Unsupported option ${quoted(option)}`),
  unknownSubcommand: (subcommand: string, container: string): ErrorReply =>
    error(`ERR unknown subcommand '${quoted(subcommand, 128)}'. Try ${container} HELP.`),
  /** Redis names the command and the start of its arguments, at most 128 bytes of each. */
  unknownCommand: (name: string, args: readonly string[]): ErrorReply => {
    let listed = '';
    for (const arg of args) {
      if (listed.length >= 128) break;
      listed += `'${quoted(arg, 128 - listed.length)}' `;
    }
    return error(`ERR unknown command '${quoted(name, 128)}', with args beginning with: ${listed}`);
  },
};
