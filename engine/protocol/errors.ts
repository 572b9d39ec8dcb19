/** Every error text that the engine answers, in Redis 7.0.15's own words where Redis has them. */
import { ErrorReply } from './reply.js';

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
