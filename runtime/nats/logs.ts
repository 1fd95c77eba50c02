import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { randomId } from "../ids.ts";
import type { ServerUrl } from "../server-url.ts";
import { amongOthers } from "./among-others.ts";
import { natsReason, parseNatsUrl, patiently } from "./connect.ts";
import { LogReader } from "./log-reader.ts";
import { PART, partsOf } from "./parts.ts";
import { type SharedNats, shareNats } from "./shared.ts";

/** Timeout of a call, in milliseconds. */
const CALL_MS = 5_000;
const STREAM_NOT_FOUND = 10_059;
const WRONG_LAST_SEQUENCE = 10_071;
/** For how long the server knows messages that were published again, in nanoseconds; it must not exceed their age. */
const DUPLICATES_NS = 120e9;

export interface NatsLogsOptions {
  /** Ends the names of the stream and of its subjects, after the URL's /NAME. */
  readonly kind: string;
  readonly description: string;
  /** A new stream removes its oldest messages beyond this, in bytes. */
  readonly maxBytes: number;
  /** A new stream removes older messages, in milliseconds. */
  readonly maxAgeMs: number;
  /** Called once, with the reason, if the server does not answer at first. */
  onWait?(reason: string): void;
}

/** Logs of texts, kept in a stream of NATS JetStream (2.9 or newer), each below a subject of its own. */
export class NatsLogs {
  readonly connection: NatsConnection;
  readonly #shared: SharedNats;
  readonly #manager: JetStreamManager;
  readonly #jetstream: JetStreamClient;
  readonly #url: ServerUrl;
  readonly #stream: string;
  readonly #prefix: string;

  /**
   * Connects, and creates the stream if it does not exist. One that exists keeps its settings.
   * @param url `nats://HOST:PORT/NAME`
   * @throws Error with the reason if the URL is malformed, or NATS does not answer within 10 s, rejects the login or lacks
   *   JetStream
   */
  static async open(url: string, options: NatsLogsOptions): Promise<NatsLogs> {
    const parsed = parseNatsUrl(url.slice("nats:".length));
    let shared: SharedNats | undefined;
    try {
      shared = await patiently(
        () => shareNats(url, CALL_MS),
        (error) => options.onWait?.(natsReason(error, parsed)),
      );
      const { jetstream, jetstreamManager } = await import("@nats-io/jetstream");
      const manager = await jetstreamManager(shared.connection, { timeout: CALL_MS });
      const logs = new NatsLogs(shared, manager, jetstream(shared.connection), parsed, options.kind);
      await logs.#ensure(options);
      return logs;
    } catch (cause) {
      shared?.release();
      throw new Error(natsReason(cause, parsed), { cause });
    }
  }

  private constructor(
    shared: SharedNats,
    manager: JetStreamManager,
    jetstream: JetStreamClient,
    url: ServerUrl,
    kind: string,
  ) {
    if (!/^[\w-]*$/.test(url.path))
      throw new Error(`its name consists of letters, digits, '-' and '_': '${url.path}' is not valid`);
    const name = url.path || "stator";
    this.connection = shared.connection;
    this.#shared = shared;
    this.#manager = manager;
    this.#jetstream = jetstream;
    this.#url = url;
    this.#stream = `${name}-${kind}`;
    this.#prefix = `${name}.${kind}`;
  }

  /** What an error of the stream means, as a sentence's beginning. */
  explain(error: unknown): string {
    return natsReason(error, this.#url);
  }

  /** A subject outside of the stream, for messages that nobody keeps. */
  signalSubject(name: string): string {
    return `${this.#prefix}-signals.${name}`;
  }

  /**
   * Appends a text to a log, and waits until the stream has it. A long one takes several messages.
   * @param id that of an earlier attempt, which then counts only once
   * @returns the sequence number of its first message
   */
  async append(log: string, text: string, id: string = randomId()): Promise<number> {
    const [first] = await this.#publish(log, text, id);
    return first!;
  }

  /**
   * The same, if nothing has been appended or removed since.
   * @param last the sequence number of the log's last text
   * @returns undefined if something has
   */
  async appendAfter(log: string, text: string, last: number): Promise<number | undefined> {
    try {
      const [first] = await this.#publish(log, text, randomId(), last);
      return first;
    } catch (error) {
      if (Reflect.get(Object(error), "code") === WRONG_LAST_SEQUENCE) return undefined;
      throw error;
    }
  }

  /** @param after the sequence number of the log's last message, if it matters */
  async #publish(log: string, text: string, id: string, after?: number): Promise<number[]> {
    const parts = partsOf(new TextEncoder().encode(text), this.connection.info?.max_payload);
    const { headers } = await import("@nats-io/transport-node");
    const sequences: number[] = [];
    for (const [index, part] of parts.entries()) {
      const marked = headers();
      marked.set(PART, `${id}/${index}/${parts.length}`);
      const last = sequences.at(-1) ?? after;
      const expect = after === undefined ? undefined : { lastSubjectSequence: last! };
      const options = {
        msgID: `${id}/${index}`,
        timeout: CALL_MS,
        headers: marked,
        ...(expect && { expect }),
      };
      sequences.push((await this.#jetstream.publish(this.#subject(log), part, options)).seq);
    }
    return sequences;
  }

  /** Reads a log from its oldest text on. */
  read(log: string): LogReader {
    const subject = this.#subject(log);
    return new LogReader((seq) => {
      // The stream's leader is asked, whose answer has all that was appended; it knows `next_by_subj`, unlike the type.
      const query = { seq, next_by_subj: subject };
      return this.#manager.streams.getMessage(this.#stream, query);
    });
  }

  /**
   * Removes a log, or several.
   * @param log `*` stands for the last part of their names
   * @param before the sequence number from which on messages stay
   */
  async remove(log: string, before?: number): Promise<void> {
    const filter = this.#subject(log);
    // The server takes 1 for no limit.
    if (before === 1) return;
    await this.#manager.streams.purge(this.#stream, {
      filter,
      ...(before !== undefined && { seq: before }),
    });
  }

  /** Calls `listener` for each message that is appended to a log. @returns stops that */
  onAppend(log: string, listener: () => void): () => void {
    const subscription = this.connection.subscribe(this.#subject(log), { callback: listener });
    return () => subscription.unsubscribe();
  }

  /** @throws Error if the stream does not answer */
  async isThere(): Promise<void> {
    await this.#manager.streams.info(this.#stream);
  }

  close(): void {
    this.#shared.release();
  }

  #subject(log: string): string {
    return `${this.#prefix}.${log}`;
  }

  #ensure({ description, maxBytes, maxAgeMs }: NatsLogsOptions): Promise<void> {
    return amongOthers(async () => {
      try {
        await this.#manager.streams.info(this.#stream);
      } catch (error) {
        if (Reflect.get(Object(error), "code") !== STREAM_NOT_FOUND) throw error;
        await this.#manager.streams.add({
          name: this.#stream,
          subjects: [`${this.#prefix}.>`],
          max_bytes: maxBytes,
          max_age: maxAgeMs * 1e6,
          duplicate_window: Math.min(maxAgeMs * 1e6, DUPLICATES_NS),
          description,
        });
      }
    });
  }
}
