import type { ConsumerMessages, JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import type { MsgHdrs, NatsConnection } from "@nats-io/transport-node";
import { z } from "zod";
import { messageOf } from "../../message-of.ts";
import { natsReason, parseNatsUrl, patiently } from "../../nats/connect.ts";
import { type SharedNats, shareNats } from "../../nats/shared.ts";
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
/** What the stream keeps of each subject; also the most messages of a snapshot. */
export const KEPT_MESSAGES = 8_192;
/** How long it keeps them: the leftovers of dead workers end by it, in nanoseconds. */
const MAX_AGE_NS = 3_600e9;
const STREAM_NOT_FOUND = 10_059;
const STREAM_EXISTS = 10_058;

export interface NatsKvEventsOptions {
  /** The servers are lost, or back. */
  readonly onState?: (isConnected: boolean) => void;
  /** Messages that a new stream keeps of each subject. Default 8,192. */
  readonly keptMessages?: number | undefined;
  /** Whether to create the stream if it does not exist. Default true. */
  readonly creates?: boolean;
}

/** The state of a stream. */
export interface StreamReport {
  readonly stream: string;
  readonly messages: number;
  readonly bytes: number;
}

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
  readonly #stateListeners = new Set<(isConnected: boolean) => void>();
  #isConnected = true;
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
      shared = await patiently(() => shareNats(url, CALL_MS));
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
      const stream = new NatsKvEvents(shared, clients, names, options);
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
    names: StreamNames,
    { onState, keptMessages = KEPT_MESSAGES }: NatsKvEventsOptions,
  ) {
    this.#shared = shared;
    this.connection = shared.connection;
    this.#manager = clients.manager;
    this.#jetstream = clients.jetstream;
    this.#rollup = clients.rollup;
    this.#names = names;
    this.#keptMessages = keptMessages;
    if (onState !== undefined) this.#stateListeners.add(onState);
    void this.#followConnection();
  }

  get isConnected(): boolean {
    return this.#isConnected && !this.#isClosed;
  }

  /** The subject of the publisher with this epoch. */
  subjectOf(epoch: string): string {
    return `${this.#names.prefix}.${epoch}`;
  }

  epochOf(subject: string): string | undefined {
    const epoch = subject.slice(this.#names.prefix.length + 1);
    return /^[0-9a-f]{16}$/.test(epoch) && subject === this.subjectOf(epoch) ? epoch : undefined;
  }

  /** Calls `listener` when the servers are lost or back. @returns stops that */
  onState(listener: (isConnected: boolean) => void): () => void {
    this.#stateListeners.add(listener);
    return () => void this.#stateListeners.delete(listener);
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
  async ensure(): Promise<void> {
    const { stream, prefix } = this.#names;
    try {
      await this.#manager.streams.info(stream);
    } catch (error) {
      if (!isMissing(error)) throw error;
      const adding = this.#manager.streams.add({
        name: stream,
        subjects: [`${prefix}.*.live`, `${prefix}.*.snapshot`],
        max_msgs_per_subject: this.#keptMessages,
        max_age: MAX_AGE_NS,
        allow_rollup_hdrs: true,
        description: "KV events of Stator's workers, for new gateways",
      });
      await adding.catch((error: unknown) => {
        // Another process may have been faster.
        if (codeOf(error) !== STREAM_EXISTS) throw error;
      });
    }
  }

  /**
   * Publishes a message, and waits until the stream has it.
   * @throws Error if it does not within a few seconds
   */
  async publishAcknowledged(subject: string, message: Uint8Array, { replaces = false } = {}): Promise<void> {
    const options = { timeout: ACK_MS, ...(replaces && { headers: this.#rollup }) };
    const { data } = await this.connection.request(subject, message, options);
    const answer = ackSchema.parse(JSON.parse(decoder.decode(data)));
    if (answer.error !== undefined) throw new Error(answer.error.description);
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
    this.#stateListeners.clear();
    this.#shared.release();
  }

  async #followConnection(): Promise<void> {
    for await (const { type } of this.connection.status()) {
      if (this.#isClosed) return;
      // It is closed for good if a server has come to reject the login.
      if (type === "disconnect" || type === "close") this.#setConnected(false);
      else if (type === "reconnect") this.#setConnected(true);
    }
  }

  #setConnected(isConnected: boolean): void {
    if (this.#isConnected === isConnected) return;
    this.#isConnected = isConnected;
    for (const listener of this.#stateListeners) listener(isConnected);
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

/** The number of JetStream's error. */
const codeOf = (error: unknown): unknown => Reflect.get(Object(error), "code");

const isMissing = (error: unknown): boolean =>
  codeOf(error) === STREAM_NOT_FOUND || /stream not found/i.test(messageOf(error));
