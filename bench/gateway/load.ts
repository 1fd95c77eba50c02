import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { RecordedAnswer } from "./answer.ts";
import { AnswerReader } from "./answer-reader.ts";

export interface LoadOptions {
  port: number;
  /** A complete HTTP request, the same for every answer. */
  request: Buffer;
  concurrency: number;
  /** Consecutive requests per connection. */
  requests: number;
  /** The expected answer. */
  expected: RecordedAnswer;
  /** Milliseconds over which the connections' first requests are spread, to avoid a thundering herd. */
  spreadMs: number;
}

export interface LoadResult {
  /** Milliseconds from writing a request to its first token, for every answer. */
  ttftMs: number[];
  /** Server-sent events of all answers. */
  events: number;
  wallMs: number;
}

/**
 * Streams answers over `concurrency` keep-alive connections.
 * @throws Error at the first answer that is not as expected
 */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const { concurrency, spreadMs } = options;
  const result: LoadResult = { ttftMs: [], events: 0, wallMs: 0 };
  const sockets = await Promise.all(Array.from({ length: concurrency }, () => open(options.port)));
  const startedAt = performance.now();
  try {
    await Promise.all(
      sockets.map(async (socket, index) => {
        if (spreadMs > 0) await sleep((spreadMs * index) / concurrency);
        await new Connection(socket, options, result).done;
      }),
    );
  } finally {
    for (const socket of sockets) socket.destroy();
  }
  result.wallMs = performance.now() - startedAt;
  return result;
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () => resolve(socket));
    socket.once("error", reject);
  });
}

class Connection {
  readonly done: Promise<void>;
  readonly #socket: Socket;
  readonly #options: LoadOptions;
  readonly #result: LoadResult;
  readonly #reader = new AnswerReader();
  readonly #end = Promise.withResolvers<void>();
  #remaining: number;
  #askedAt = 0;
  #hasFirstToken = false;

  constructor(socket: Socket, options: LoadOptions, result: LoadResult) {
    this.done = this.#end.promise;
    this.#socket = socket;
    this.#options = options;
    this.#result = result;
    this.#remaining = options.requests;
    socket.on("data", (data) => this.#onData(data));
    socket.on("error", this.#end.reject);
    socket.on("close", () => this.#end.reject(new Error("The server closed the connection.")));
    this.#ask();
  }

  #ask(): void {
    this.#hasFirstToken = false;
    this.#askedAt = performance.now();
    this.#socket.write(this.#options.request);
  }

  #onData(data: Buffer): void {
    try {
      const isComplete = this.#reader.push(data);
      // The first event only has the assistant's role; the second is the first token.
      if (!this.#hasFirstToken && this.#reader.events >= 2) {
        this.#hasFirstToken = true;
        this.#result.ttftMs.push(performance.now() - this.#askedAt);
      }
      if (isComplete) this.#onAnswer();
    } catch (error) {
      this.#end.reject(error);
    }
  }

  #onAnswer(): void {
    const { events, bytes } = this.#reader;
    const { expected } = this.#options;
    const merged = expected.events.length - events;
    if (merged < 0 || bytes + merged * expected.eventOverhead !== expected.bytes) {
      throw new Error(
        `An answer has ${events} events in ${bytes} bytes, not ${expected.events.length} in ${expected.bytes}.`,
      );
    }
    this.#result.events += events;
    this.#reader.reset();
    if (--this.#remaining > 0) this.#ask();
    else this.#end.resolve();
  }
}
