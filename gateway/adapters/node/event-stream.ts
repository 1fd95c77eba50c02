import type { ServerResponse } from "node:http";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { Context } from "hono";
import { EVENT_STREAM_HEADERS, type EventStream } from "../../event-stream.ts";

/** Writes events straight to Node's response: no web stream, no promise for a token. */
export function openNodeEventStream(context: Context, headers: Record<string, string>): EventStream {
  const { outgoing } = context.env as { outgoing: ServerResponse };
  return new NodeEventStream(outgoing, headers);
}

class NodeEventStream implements EventStream {
  readonly response = RESPONSE_ALREADY_SENT;
  onWritable: (() => void) | undefined;
  onAbort: (() => void) | undefined;
  readonly #outgoing: ServerResponse;

  constructor(outgoing: ServerResponse, headers: Record<string, string>) {
    this.#outgoing = outgoing;
    outgoing.writeHead(200, { ...EVENT_STREAM_HEADERS, ...headers });
    outgoing.on("drain", () => this.onWritable?.());
    outgoing.on("close", () => {
      if (!outgoing.writableFinished) this.onAbort?.();
    });
  }

  write(text: string): boolean {
    return this.#outgoing.write(text);
  }

  end(): void {
    this.#outgoing.end();
  }
}
