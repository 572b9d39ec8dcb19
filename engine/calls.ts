/** The calls of an engine in its own process. All are one client's, who is made when first needed. */
import { type ApplyListener, silentListener } from './apply-listener.js';
import { LocalClient, type LocalEngine, type MessageCallback } from './local-client.js';
import { type JavaScriptReply, ReplyError, toJavaScript } from './protocol/javascript-reply.js';
import { ErrorReply, type Reply } from './protocol/reply.js';
import { type Argument, RequestBuilder } from './protocol/request.js';

export class Calls {
  /** Most engines are called for what their table has, and need none. */
  private local: LocalClient | undefined;
  private readonly builder = new RequestBuilder();

  constructor(private readonly engine: LocalEngine) {}

  /** Hears of what the calls' commands publish. */
  readonly listener: ApplyListener = {
    ...silentListener,
    publish: (channel, message) => this.local?.publish(channel, message) ?? 0,
  };

  /** Runs one command. Views in the reply are valid until the next call. */
  answer(args: readonly Argument[]): Reply {
    if (this.local !== undefined) return this.local.call(args);
    const reply = this.engine.callRaw(0, args);
    return reply instanceof ErrorReply && LocalClient.knows(args[0]) ? this.client().call(args) : reply;
  }

  /** See `Engine.exec`. */
  exec(commands: readonly (readonly Argument[])[]): (JavaScriptReply | ReplyError)[] {
    commands.forEach((args, place) => {
      try {
        this.builder.command(args, false);
      } catch (error) {
        throw new TypeError(`command ${place}: ${(error as Error).message}`);
      }
    });
    return commands.map((args) => {
      const reply = this.answer(args);
      return reply instanceof ErrorReply ? new ReplyError(reply) : toJavaScript(reply);
    });
  }

  /** @returns what ends the subscription */
  subscribe(name: string | Uint8Array, isPattern: boolean, callback: MessageCallback): () => void {
    return this.client().subscribe(name, isPattern, callback);
  }

  private client(): LocalClient {
    this.local ??= new LocalClient(this.engine);
    return this.local;
  }
}
