/** Random replies and bytes for the tests of the conformance tools. */
import fc from 'fast-check';
import type { Reply, TextReply } from '../../conformance/reply.js';

/** Any bytes, as latin1 text. */
export const bytes = fc.uint8Array({ maxLength: 12 }).map((array) => Buffer.from(array).toString('latin1'));

/** A status, error or number line: any bytes but CR and LF. */
const line = bytes.map((text) => text.replace(/[\r\n]/g, ''));

function text(types: TextReply['type'][], texts: fc.Arbitrary<string>): fc.Arbitrary<Reply> {
  return fc.tuple(fc.constantFrom(...types), texts).map(([type, text]): Reply => ({ type, text }));
}

/** Any reply of RESP2 or RESP3. */
export const replies: fc.Arbitrary<Reply> = fc.letrec<{ reply: Reply }>((tie) => ({
  reply: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    text(['simple', 'error', 'double', 'big number'], line),
    text(['bulk', 'blob error'], bytes),
    text(['integer'], fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String)),
    fc.boolean().map((value): Reply => ({ type: 'boolean', value })),
    fc.constantFrom('bulk' as const, 'array', 'resp3').map((form): Reply => ({ type: 'null', form })),
    fc
      .tuple(fc.constantFrom('txt', 'mkd', 'a"b'), bytes)
      .map(([format, text]): Reply => ({ type: 'verbatim', format, text })),
    fc
      .tuple(fc.constantFrom('array' as const, 'set', 'push'), fc.array(tie('reply'), { maxLength: 4 }))
      .map(([type, items]): Reply => ({ type, items })),
    fc
      .tuple(
        fc.constantFrom('map' as const, 'attribute'),
        fc.array(fc.tuple(tie('reply'), tie('reply')), { maxLength: 3 }),
      )
      .map(([type, entries]): Reply => ({ type, entries })),
  ),
})).reply;
