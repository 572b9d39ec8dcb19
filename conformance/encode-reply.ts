/** Replies back into bytes: for proxies and tests. */
import type { Reply } from './reply.js';

/** A reply as bytes (latin1); the inverse of the parser in reply-parser.ts. */
export function encodeReply(reply: Reply): string {
  switch (reply.type) {
    case 'simple':
      return `+${reply.text}\r\n`;
    case 'error':
      return `-${reply.text}\r\n`;
    case 'integer':
      return `:${reply.text}\r\n`;
    case 'double':
      return `,${reply.text}\r\n`;
    case 'big number':
      return `(${reply.text}\r\n`;
    case 'boolean':
      return reply.value ? '#t\r\n' : '#f\r\n';
    case 'null':
      return { bulk: '$-1\r\n', array: '*-1\r\n', resp3: '_\r\n' }[reply.form];
    case 'bulk':
      return `$${reply.text.length}\r\n${reply.text}\r\n`;
    case 'blob error':
      return `!${reply.text.length}\r\n${reply.text}\r\n`;
    case 'verbatim':
      return `=${reply.text.length + 4}\r\n${reply.format}:${reply.text}\r\n`;
    case 'array':
    case 'set':
    case 'push':
      return `${{ array: '*', set: '~', push: '>' }[reply.type]}${reply.items.length}\r\n${reply.items.map(encodeReply).join('')}`;
    default:
      return `${reply.type === 'map' ? '%' : '|'}${reply.entries.length}\r\n${reply.entries.flat().map(encodeReply).join('')}`;
  }
}
