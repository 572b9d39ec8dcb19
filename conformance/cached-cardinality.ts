/**
 * The estimate that Redis's PFCOUNT leaves in the header of a HyperLogLog's string form, and Redraft's does
 * not.
 */
import type { Reply } from './reply.js';

const headerBytes = 16;
const cardinalityAt = 8;

/**
 * The same reply with the cached estimate blotted out, if it is a HyperLogLog; everything else about it still
 * counts.
 */
export function withoutCachedCardinality(reply: Reply): Reply {
  if (reply.type !== 'bulk' || !reply.text.startsWith('HYLL') || reply.text.length < headerBytes)
    return reply;
  return { ...reply, text: `${reply.text.slice(0, cardinalityAt)}estimate${reply.text.slice(headerBytes)}` };
}
