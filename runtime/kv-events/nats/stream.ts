import type { ConsumerMessages, JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import type { MsgHdrs, NatsConnection } from "@nats-io/transport-node";
import { z } from "zod";
import { messageOf } from "../../message-of.ts";
import { amongOthers } from "../../nats/among-others.ts";
import { natsReason, parseNatsUrl, patiently } from "../../nats/connect.ts";
import { type SharedNats, shareNats } from "../../nats/shared.ts";
import type { ServerUrl } from "../../server-url.ts";
import { within } from "../../within.ts";
import type { KvEventStream, StreamListener } from "../stream/types.ts";
import { decodeMessage } from "../wire.ts";
import { headSubject, liveSubject, type StreamNames, snapshotSubject, streamNames } from "./names.ts";

/** Timeout of a call, in milliseconds. */
const CALL_MS = 2_000;
const ACK_MS = 3_000;
/** How long a replay may stall, in milliseconds. */
const STALL_MS = 5_000;
/** Messages of a replay to request, and to handle, at a time. */
const REPLAY_MESSAGES = 64;
/** Interval of asking a stream that does not answer, in milliseconds. */
const RETRY_MS = 1_000;
/** Interval of asking one that did, in milliseconds: JetStream may be switched off, and the connection stay. */
const WATCH_MS = 5_000;
/** What the stream keeps of each subject; also the most messages of a snapshot. */
export const KEPT_MESSAGES = 8_192;
/** How long it keeps them: the leftovers of dead workers end by it, in nanoseconds. */
const MAX_AGE_NS = 3_600e9;
const STREAM_NOT_FOUND = 10_059;

export interface NatsKvEventsOptions {
  /** The stream is lost, or answers again. */
  readonly onState?: StateListener;
  /** NATS does not answer yet, and connecting is retried for 10 s. */
  readonly onWait?: (reason: string) => void;
  /** Messages that a new stream keeps of each subject. Default 8,192. */
  readonly keptMessages?: number | undefined;
  /** Whether to create the stream if it does not exist. Default true. */
  readonly creates?: boolean;
}

/**
 * Hears whether the stream answers. While it does not, it is told so at each failed attempt, with the reason; the reason
 * is undefined if it answers.
 */
export type StateListener = (isConnected: boolean, reason?: string) => void;

/** Hears that NATS does not permit publishing to a subject. */
export type RefusalListener = (subject: string) => void;

/** The state of a stream. */
export interface StreamReport {
  readonly stream: string;
  readonly messages: number;
  readonly bytes: number;
}

/** JetStream does not take a message; it says why. */
export class RejectedMessage extends Error {}

interface Clients {
  readonly manager: JetStreamManager;
  readonly jetstream: JetStreamClient;
  readonly rollup: MsgHdrs;
}

/** The stream of NATS JetStream (2.9 or newer) to which workers publish KV events, and from which gateways take them. */
export class NatsKvEvents implements KvEventStream {
  readonly connection: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #jetstream: JetStreamClient;
  /** Removes the subject's earlier messages. */
  readonly #rollup: MsgHdrs;
  readonly #names: StreamNames;
  readonly #shared: SharedNats;
  readonly #keptMessages: number;
  readonly #url: ServerUrl;
  readonly #creates: boolean;
  readonly #watch: ReturnType<typeof setInterval>;
  readonly #stateListeners = new Set<StateListener>();
  readonly #refusalListeners = new Set<RefusalListener>();
  /** Whether the stream has answered since the last connection was made. */
  #isConnected = true;
  /** Counts the connections, and their ends. */
  #connections = 0;
  #isClosed = false;

  /**
   * Connects, and creates the stream if it does not exist. One that exists keeps its settings, so that it can be
   * created with others beforehand.
   * @param url `nats://HOST:PORT/NAME`
   * @throws Error with the reason if the URL is malformed, or NATS does not answer within 10 s, rejects the login or
   *   lacks JetStream
   */
  static async open(url: string, options: NatsKvEventsOptions = {}): Promise<NatsKvEvents> {
    if (!url.startsWith("nats://"))
      throw new Error(`"${url}" is not the URL of NATS servers: write nats://HOST:PORT.`);
    const parsed = parseNatsUrl(url.slice("nats:".length));
    const names = streamNames(parsed);
    let shared: SharedNats | undefined;
    try {
      shared = await patiently(
        () => shareNats(url, CALL_MS),
        (error) => options.onWait?.(natsReason(error, parsed)),
      );
      const [{ jetstream, jetstreamManager }, { headers }] = await Promise.all([
        import("@nats-io/jetstream"),
        import("@nats-io/transport-node"),
      ]);
      const clients = {
        manager: await jetstreamManager(shared.connection, { timeout: CALL_MS }),
        jetstream: jetstream(shared.connection),
        rollup: headers(),
      };
      clients.rollup.set("Nats-Rollup", "sub");
      const stream = new NatsKvEvents(shared, clients, { names, url: parsed }, options);
      if (options.creates !== false) await stream.ensure();
      return stream;
    } catch (cause) {
      shared?.release();
      throw new Error(natsReason(cause, parsed), { cause });
    }
  }

  private constructor(
    shared: SharedNats,
    clients: Clients,
    { names, url }: { readonly names: StreamNames; readonly url: ServerUrl },
    { onState, keptMessages = KEPT_MESSAGES, creates = true }: NatsKvEventsOptions,
  ) {
    this.#shared = shared;
    this.connection = shared.connection;
    this.#manager = clients.manager;
    this.#jetstream = clients.jetstream;
    this.#rollup = clients.rollup;
    this.#names = names;
    this.#url = url;
    this.#creates = creates;
    this.#keptMessages = keptMessages;
    if (onState !== undefined) this.#stateListeners.add(onState);
    this.#watch = setInterval(() => void this.#watchStream(), WATCH_MS).unref();
    void this.#followConnection();
  }

  get isConnected(): boolean {
    return this.#isConnected && !this.#isClosed;
  }

  /** Its name in JetStream. */
  get name(): string {
    return this.#names.stream;
  }

  /** What an error of the stream means, as a sentence's beginning. */
  explain(error: unknown): string {
    const isLate = messageOf(error) === "timeout";
    return natsReason(isLate ? `the stream ${this.name} does not answer` : error, this.#url);
  }

  /** The subject of the publisher with this epoch. */
  subjectOf(epoch: string): string {
    return `${this.#names.prefix}.${epoch}`;
  }

  epochOf(subject: string): string | undefined {
    const epoch = subject.slice(this.#names.prefix.length + 1);
    return /^[0-9a-f]{16}$/.test(epoch) && subject === this.subjectOf(epoch) ? epoch : undefined;
  }

  /** Calls `listener` when the stream is lost or answers again. @returns stops that */
  onState(listener: StateListener): () => void {
    this.#stateListeners.add(listener);
    return () => void this.#stateListeners.delete(listener);
  }

  /** Calls `listener` for each message that NATS does not permit this process to publish. @returns stops that */
  onRefusal(listener: RefusalListener): () => void {
    this.#refusalListeners.add(listener);
    return () => void this.#refusalListeners.delete(listener);
  }

  subscribe(subject: string, listener: StreamListener): () => void {
    const live = this.connection.subscribe(liveSubject(subject), {
      callback: (error, { data }) => {
        if (error === null) listener.onMessage(data);
      },
    });
    const head = this.connection.subscribe(headSubject(subject), {
      callback: (error, { data }) => {
        const message = error === null ? decodeMessage(data) : undefined;
        if (message !== undefined) listener.onHead(message.sequence);
      },
    });
    const stop = this.onState((isConnected) => listener.onState(isConnected));
    return () => {
      stop();
      live.unsubscribe();
      head.unsubscribe();
    };
  }

  async replay(
    subject: string,
    onMessage: (message: Uint8Array) => void,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#read(snapshotSubject(subject), onMessage, signal);
    await this.#read(liveSubject(subject), onMessage, signal);
  }

  /** Creates the stream if it does not exist. */
  ensure(): Promise<void> {
    return amongOthers(async () => {
      const { stream, prefix } = this.#names;
      try {
        await this.#manager.streams.info(stream);
      } catch (error) {
        if (!isMissing(error)) throw error;
        await this.#manager.streams.add({
          name: stream,
          subjects: [`${prefix}.*.live`, `${prefix}.*.snapshot`],
          max_msgs_per_subject: this.#keptMessages,
          max_age: MAX_AGE_NS,
          allow_rollup_hdrs: true,
          description: "KV events of Stator's workers, for new gateways",
        });
      }
    });
  }

  /**
   * Publishes a message, and waits until the stream has it.
   * @throws RejectedMessage if it does not take it; Error if it does not answer within a few seconds
   */
  async publishAcknowledged(subject: string, message: Uint8Array, { replaces = false } = {}): Promise<void> {
    const options = { timeout: ACK_MS, ...(replaces && { headers: this.#rollup }) };
    const { data } = await this.connection.request(subject, message, options);
    const answer = ackSchema.parse(JSON.parse(decoder.decode(data)));
    if (answer.error !== undefined) throw new RejectedMessage(answer.error.description);
  }

  /** The number of the last batch of a publisher that the stream has; −1 if it has none, or does not exist. */
  async lastNumber(subject: string): Promise<number> {
    try {
      const { stream } = this.#names;
      const last = await this.#manager.streams.getMessage(stream, { last_by_subj: liveSubject(subject) });
      return (last && decodeMessage(last.data)?.sequence) ?? -1;
    } catch (error) {
      if (isMissing(error)) return -1;
      throw error;
    }
  }

  /** Removes what the stream keeps of a publisher. */
  async purge(subject: string): Promise<void> {
    await this.#manager.streams.purge(this.#names.stream, { filter: `${subject}.*` });
  }

  /** @returns undefined if the stream does not exist. @throws Error if it cannot be read */
  async report(): Promise<StreamReport | undefined> {
    const { stream } = this.#names;
    try {
      const { state } = await this.#manager.streams.info(stream);
      return { stream, messages: state.messages, bytes: state.bytes };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** Disconnects. Subscriptions end. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#watch);
    this.#stateListeners.clear();
    this.#refusalListeners.clear();
    this.#shared.release();
  }

  async #followConnection(): Promise<void> {
    for await (const status of this.connection.status()) {
      if (this.#isClosed) return;
      switch (status.type) {
        case "disconnect":
        // It is closed for good if a server has come to reject the login.
        case "close":
          this.#connections++;
          this.#setConnected(false, "the connection is lost");
          break;
        case "reconnect":
          void this.#awaitStream(++this.#connections);
          break;
        case "error":
          this.#onError(status.error);
          break;
      }
    }
  }

  #onError(error: Error): void {
    const subject = refusedSubject(error);
    if (subject !== undefined) for (const listener of this.#refusalListeners) listener(subject);
    else if (!this.#isConnected && /authori[sz]ation/i.test(error.message))
      this.#setConnected(false, this.explain(error));
  }

  async #watchStream(): Promise<void> {
    if (!this.#isConnected) return;
    const connection = this.#connections;
    await this.#examine().catch(() => {
      if (connection === this.#connections) return this.#awaitStream(connection);
    });
  }

  #examine(): Promise<unknown> {
    return this.#creates ? this.ensure() : this.report();
  }

  /** The servers are back, but perhaps without JetStream, or not yet with the stream. */
  async #awaitStream(connection: number): Promise<void> {
    while (connection === this.#connections && !this.#isClosed) {
      try {
        await this.#examine();
        if (connection === this.#connections) this.#setConnected(true);
        return;
      } catch (error) {
        if (connection === this.#connections) this.#setConnected(false, this.explain(error));
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
    }
  }

  #setConnected(isConnected: boolean, reason?: string): void {
    if (this.#isClosed || (isConnected && this.#isConnected)) return;
    this.#isConnected = isConnected;
    for (const listener of this.#stateListeners) listener(isConnected, reason);
  }

  async #read(subject: string, onMessage: (message: Uint8Array) => void, signal: AbortSignal): Promise<void> {
    const { stream } = this.#names;
    const consumer = await this.#jetstream.consumers.get(stream, { filter_subjects: subject });
    const { num_pending: pending } = await consumer.info(true);
    if (pending === 0 || signal.aborted) return void consumer.delete().catch(() => {});
    const messages = await consumer.consume({ max_messages: REPLAY_MESSAGES });
    const stop = () => messages.stop();
    signal.addEventListener("abort", stop);
    try {
      await this.#readAll(messages, onMessage, pending);
    } finally {
      signal.removeEventListener("abort", stop);
      stop();
      await consumer.delete().catch(() => {});
    }
    signal.throwIfAborted();
  }

  async #readAll(
    messages: ConsumerMessages,
    onMessage: (message: Uint8Array) => void,
    pending: number,
  ): Promise<void> {
    const iterator = messages[Symbol.asyncIterator]();
    const late = () => new Error(`A replay of KV events stalls for ${STALL_MS / 1000} s.`);
    for (let read = 1; ; read++) {
      const { done, value } = await within(STALL_MS, iterator.next(), late);
      if (done) return;
      onMessage(value.data);
      // Messages may be removed while they are read.
      if (value.info.pending === 0 || read >= pending) return;
      if (read % REPLAY_MESSAGES === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/** JetStream's answer to a published message. */
const ackSchema = z.object({ error: z.object({ description: z.string() }).optional() });
const decoder = new TextDecoder();

/** The subject to which NATS does not permit publishing; undefined for any other error. */
function refusedSubject(error: Error): string | undefined {
  if (error.name !== "PermissionViolationError" || Reflect.get(error, "operation") !== "publish")
    return undefined;
  return String(Reflect.get(error, "subject"));
}

/** The number of JetStream's error. */
const codeOf = (error: unknown): unknown => Reflect.get(Object(error), "code");

const isMissing = (error: unknown): boolean =>
  codeOf(error) === STREAM_NOT_FOUND || /stream not found/i.test(messageOf(error));
