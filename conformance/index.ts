/** The conformance tools, for tests that use them as a library. */

// Playing transcripts.
export { type Client, ReplyClient } from './client.js';
// What is covered, what is known to differ.
export { commandsWithoutTranscript, countTranscriptLines } from './coverage.js';
export { type KnownDifference, loadExceptions } from './exceptions.js';
// Replies.
export { parseReply, printReply, splitArguments } from './notation.js';
export type { Reply } from './reply.js';
export { ReplyParser } from './reply-parser.js';
export {
  type Failure,
  type Position,
  printFailure,
  type RunOptions,
  runTranscript,
  type TranscriptResult,
} from './run-transcript.js';
// Servers to compare.
export {
  installedRedisVersion,
  openTarget,
  type RunningServer,
  startRedis,
  startRedraft,
} from './servers.js';
export { transcriptFiles } from './transcript-files.js';
