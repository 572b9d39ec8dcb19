/**
 * The request path of layouts (b) and (c): the program's own parser and reply writer, and nothing of the
 * server between them.
 */
import { OK, type Reply } from '../../engine/protocol/reply.js';
import type { Request } from '../../engine/protocol/request.js';
import { ReplyWriter } from '../../src/resp/reply-writer.js';
import { RequestParser } from '../../src/resp/request-parser.js';

export function serveViews(
  write: (reply: Buffer) => void,
  set: (request: Request) => void,
  get: (request: Request) => Reply,
): (chunk: Buffer) => void {
  const parser = new RequestParser();
  const writer = new ReplyWriter();
  return (chunk) => {
    parser.feed(chunk);
    while (parser.next()) {
      const { request } = parser;
      if (request.is(0, 'SET')) {
        set(request);
        writer.write(OK);
      } else if (request.is(0, 'GET')) {
        writer.write(get(request));
      } else {
        writer.write([]);
      }
    }
    for (const part of writer.take()) write(part);
  };
}
