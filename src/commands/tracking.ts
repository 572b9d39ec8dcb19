/** CLIENT's subcommands for client-side caching. */
import {
  ErrorReply,
  errors,
  MapReply,
  OK,
  quoted,
  type Reply,
  type Request,
  SetReply,
} from '../../engine/index.js';
import type { Client } from '../client/client.js';
import { findOverlap } from '../tracking/broadcast.js';
import type { ClientTracking, TrackingOptions } from '../tracking/client-tracking.js';
import type { NodeContext } from './node-context.js';

const cannotSwitch = (what: string): ErrorReply =>
  new ErrorReply(
    `ERR You can't switch ${what} mode${what === 'BCAST' ? ' on/off' : ''} before disabling tracking for this client, and then re-enabling it with a different mode.`,
  );

interface Wanted extends TrackingOptions {
  readonly prefixes: readonly string[];
}

function parse(request: Request, server: NodeContext): Wanted {
  const prefixes: string[] = [];
  let redirect = 0;
  let broadcast = false;
  let optIn = false;
  let optOut = false;
  let noLoop = false;
  for (let i = 3; i < request.count; i++) {
    const hasOperand = i + 1 < request.count;
    const option = request.option(i);
    if (option === 'REDIRECT' && hasOperand) {
      if (redirect !== 0) throw new ErrorReply('ERR A client can only redirect to a single other client');
      redirect = Number(request.int64(++i));
      if (!server.connections.has(redirect))
        throw new ErrorReply('ERR The client ID you want redirect to does not exist');
    } else if (option === 'PREFIX' && hasOperand) prefixes.push(request.latin1(++i));
    else if (option === 'BCAST') broadcast = true;
    else if (option === 'OPTIN') optIn = true;
    else if (option === 'OPTOUT') optOut = true;
    else if (option === 'NOLOOP') noLoop = true;
    else throw errors.syntax;
  }
  return { redirect, broadcast, optIn, optOut, noLoop, prefixes };
}

/** Throws if what is wanted contradicts itself or what is in force. */
function check(wanted: Wanted, present: ClientTracking | undefined): void {
  const { broadcast, optIn, optOut, prefixes } = wanted;
  if (!broadcast && prefixes.length > 0)
    throw new ErrorReply('ERR PREFIX option requires BCAST mode to be enabled');
  if (present !== undefined && present.options.broadcast !== broadcast) throw cannotSwitch('BCAST');
  if (broadcast && (optIn || optOut))
    throw new ErrorReply('ERR OPTIN and OPTOUT are not compatible with BCAST');
  if (optIn && optOut) throw new ErrorReply("ERR You can't specify both OPTIN mode and OPTOUT mode");
  if ((optIn && present?.options.optOut === true) || (optOut && present?.options.optIn === true))
    throw cannotSwitch('OPTIN/OPTOUT');
  if (!broadcast) return;
  const overlap = findOverlap(prefixes, present?.prefixes ?? new Set());
  if (overlap === undefined) return;
  const which = overlap.isPresent ? 'an existing' : 'another provided';
  throw new ErrorReply(
    `ERR Prefix '${quoted(overlap.prefix)}' overlaps with ${which} prefix '${quoted(overlap.other)}'. Prefixes for a single client must not overlap.`,
  );
}

export function tracking(request: Request, connection: Client, server: NodeContext): Reply {
  const wanted = parse(request, server);
  if (request.is(2, 'ON')) {
    check(wanted, connection.tracking);
    server.audience.tracking.enable(connection, wanted, wanted.prefixes);
  } else if (request.is(2, 'OFF')) {
    connection.stopTracking();
  } else {
    throw errors.syntax;
  }
  return OK;
}

export function caching(request: Request, { tracking }: Client): Reply {
  if (tracking === undefined)
    throw new ErrorReply(
      'ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled',
    );
  const says = request.is(2, 'YES') ? 'YES' : request.is(2, 'NO') ? 'NO' : undefined;
  if (says === undefined) throw errors.syntax;
  const { options } = tracking;
  const mode = says === 'YES' ? 'OPTIN' : 'OPTOUT';
  if (says === 'YES' ? !options.optIn : !options.optOut)
    throw new ErrorReply(
      `ERR CLIENT CACHING ${says} is only valid when tracking is enabled in ${mode} mode.`,
    );
  tracking.caching = true;
  return OK;
}

export const getredir = (_request: Request, { tracking }: Client): Reply => tracking?.options.redirect ?? -1;

export function trackinginfo(_request: Request, { tracking }: Client): Reply {
  const flags = tracking === undefined ? ['off'] : ['on', ...modes(tracking)];
  const redirect = tracking?.options.redirect ?? -1;
  const prefixes = [...(tracking?.prefixes ?? [])];
  return new MapReply(['flags', new SetReply(flags), 'redirect', redirect, 'prefixes', prefixes]);
}

function modes({ options, caching, isRedirectBroken }: ClientTracking): string[] {
  const names: string[] = [];
  if (options.broadcast) names.push('bcast');
  if (options.optIn) names.push('optin', ...(caching ? ['caching-yes'] : []));
  if (options.optOut) names.push('optout', ...(caching ? ['caching-no'] : []));
  if (options.noLoop) names.push('noloop');
  if (isRedirectBroken) names.push('broken_redirect');
  return names;
}
