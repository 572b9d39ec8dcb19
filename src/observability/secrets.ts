/** Which arguments of a request must not be shown: by MONITOR and SLOWLOG, as Redis redacts them. */
import type { Request, Runnable } from '../../engine/index.js';
import { configParameter } from '../config/configuration.js';

/** No parameter has a longer name. */
const NAME_BYTES = 64;

export const REDACTED = '(redacted)';

/** Tells of each argument whether it is a secret. */
export function secrets(row: Runnable, request: Request): (index: number) => boolean {
  switch (row.name) {
    case 'auth':
      return (index) => index > 0;
    case 'acl|setuser':
      return (index) => index > 1;
    case 'config|set':
      return (index) =>
        index > 2 &&
        index % 2 === 1 &&
        configParameter(request.head(index - 1, NAME_BYTES))?.sensitive === true;
    case 'hello':
    case 'migrate':
      return behindAuth(row, request);
    default:
      return () => false;
  }
}

function behindAuth(row: Runnable, request: Request): (index: number) => boolean {
  const hidden = new Set<number>();
  for (let i = row.name === 'hello' ? 2 : 6; i < request.count; i++) {
    const count = request.is(i, 'AUTH2') || (row.name === 'hello' && request.is(i, 'AUTH')) ? 2 : 1;
    if (!request.is(i, 'AUTH') && !request.is(i, 'AUTH2')) continue;
    for (let secret = i + 1; secret <= i + count; secret++) hidden.add(secret);
    i += count;
  }
  return (index) => hidden.has(index);
}
