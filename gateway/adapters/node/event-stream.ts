import type { ServerResponse } from "node:http";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { Logger } from "#runtime";
import { EVENT_STREAM_HEADERS, type EventStream, type OpenEventStream } from "../../kernel/event-stream.ts";

/** Writes events to the client's socket, without a web stream, a promise or a closure per token. */
export function nodeEventStreams(log: Logger): OpenEventStream {
  return (context, headers): EventStream => {
    const { outgoing } = context.env as { outgoing: ServerResponse };
    return new NodeEventStream(outgoing, headers, log);
  };
}

/**
 * Sends all events of one turn of the event loop as one HTTP chunk in one write. Node's response sends the head and
 * the first chunk. Later chunks are framed here and written directly to the socket, because Node would write each of
 * them in four pieces, which costs more than everything else that the gateway does for a token.
 */
class NodeEventStream implements EventStream {
  readonly response = RESPONSE_ALREADY_SENT;
  onWritable: (() => void) | undefined;
  onAbort: (() => void) | undefined;
  readonly #outgoing: ServerResponse;
  #pending = "";
  #isScheduled = false;
  #hasBegun = false;
  /** Whether chunks are framed here; false for an HTTP/1.0 client. */
  #isFraming = false;
  #isFull = false;
  #isEnded = false;
  readonly #log: Logger;

  constructor(outgoing: ServerResponse, headers: Record<string, string>, log: Logger) {
    this.#outgoing = outgoing;
    this.#log = log;
    outgoing.writeHead(200, { ...EVENT_STREAM_HEADERS, ...headers });
    outgoing.on("close", () => {
      if (!outgoing.writableFinished) this.onAbort?.();
    });
  }

  write(text: string): boolean {
    this.#pending += text;
    this.#flushLater();
    return !this.#isFull;
  }

  end(): void {
    this.#isEnded = true;
    this.#flushLater();
  }

  /** Called at the end of a turn in which the stream was written to or ended. */
  flush(): void {
    this.#isScheduled = false;
    const text = this.#pending;
    this.#pending = "";
    if (this.#isEnded) this.#outgoing.end(this.#isFraming ? chunk(text) + LAST_CHUNK : text);
    else if (!this.#isFraming) this.#sendByResponse(text);
    else this.#send(chunk(text));
  }

  /** Ends only this stream after a write error; its request sees a client that disconnected. */
  fail(error: unknown): void {
    this.#log.error("cannot write to a client's stream", { error });
    this.#outgoing.destroy();
  }

  #flushLater(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    if (scheduled.push(this) === 1) process.nextTick(flushScheduled);
  }

  #sendByResponse(text: string): void {
    if (!this.#outgoing.write(text)) this.#waitFor(this.#outgoing);
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#isFraming = this.#outgoing.chunkedEncoding;
    this.#outgoing.chunkedEncoding = false;
  }

  #send(bytes: string): void {
    const { socket } = this.#outgoing;
    // A response that waits for an earlier one on its connection has no socket yet, and buffers what is written.
    const target = socket?.writable ? socket : this.#outgoing;
    if (!target.write(bytes)) this.#waitFor(target);
  }

  #waitFor(target: NodeJS.EventEmitter): void {
    if (this.#isFull) return;
    this.#isFull = true;
    target.once("drain", this.#onDrain);
  }

  readonly #onDrain = (): void => {
    this.#isFull = false;
    this.onWritable?.();
  };
}

const LAST_CHUNK = "0\r\n\r\n";

const chunk = (text: string) => (text === "" ? "" : `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);

/** Streams written to in this turn. */
const scheduled: NodeEventStream[] = [];

function flushScheduled(): void {
  for (const stream of scheduled) {
    try {
      stream.flush();
    } catch (error) {
      stream.fail(error);
    }
  }
  scheduled.length = 0;
}
