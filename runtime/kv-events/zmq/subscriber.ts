import { KvEventError } from "../codec.ts";
import { ZmtpSubscription } from "../zmtp/subscription.ts";
import { readLive, type SequencedPayload } from "./frames.ts";
import { Replay, type ReplayOutcome } from "./replay.ts";
import type { ZmqSubscriberCounters, ZmqSubscriberOptions, ZmqSubscription } from "./subscription.ts";

/**
 * Follows the KV events of one rank of a vLLM, or of what speaks like it, over ZeroMQ. What the receiver knows is
 * at worst too small, never stale: missing batches are asked for again, and where they cannot be had `onForget`
 * runs.
 *
 * Numbers begin at 0 with every start of a publisher, and nothing in a message names the start. So a replay always
 * begins with the batch that came last: if that comes back as it was, the publisher is still the same one.
 */
export class ZmqKvEventSubscriber implements ZmqSubscription {
  readonly counters: ZmqSubscriberCounters = { applied: 0, gaps: 0, replays: 0, forgotten: 0, malformed: 0 };
  readonly #options: ZmqSubscriberOptions;
  readonly #socket: ZmtpSubscription;
  /** The batch handed on last. */
  #last: SequencedPayload | undefined;
  /** Number of the last message of the PUB socket: on one connection they only rise. */
  #lastLive = -1;
  /** Whether the receiver has been told something since it was last told to forget. */
  #holdsSomething = false;
  #isConnected = false;
  /** Whether there was no connection for a time: messages may be lost, or the publisher may be another one. */
  #wasAway = true;
  #replay: Replay | undefined;
  /** Messages and connections are worked on one after the other. */
  #work: Promise<void> = Promise.resolve();

  /** Tasks that wait for their turn. */
  #waiting = 0;

  /**
   * Connects, and goes on connecting again; what the publisher still has of the past comes first.
   * @throws RangeError where the endpoint is none
   */
  constructor(options: ZmqSubscriberOptions) {
    this.#options = options;
    this.#socket = new ZmtpSubscription(options.endpoint, options.topic ?? "", {
      onConnected: () => {
        this.#isConnected = true;
        void this.#enqueue(() => this.#comeBack());
      },
      onDisconnected: () => {
        this.#isConnected = false;
        this.#wasAway = true;
      },
      onMessage: (frames) => {
        void this.#enqueue(() => this.#onMessage(frames));
        if (this.#waiting > MOST_WAITING) this.#socket.pause();
      },
    });
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** Ends the subscription; no callback runs after it. */
  close(): void {
    this.#isConnected = false;
    this.#socket.close();
    this.#replay?.close();
  }

  #enqueue(task: () => Promise<void>): Promise<void> {
    this.#waiting++;
    this.#work = this.#work.then(async () => {
      try {
        if (!this.#socket.isClosed) await task();
      } catch (error) {
        this.#onFault(error);
      }
      if (--this.#waiting === 0) this.#socket.resume();
    });
    return this.#work;
  }

  /** What the message said is not known: the receiver begins anew, and those after it go on. */
  #onFault(error: unknown): void {
    this.counters.malformed++;
    this.#options.onFault?.(error);
    try {
      this.#tellToForget();
    } catch (fault) {
      this.#options.onFault?.(fault);
    }
  }

  async #onMessage(frames: readonly Uint8Array[]): Promise<void> {
    const message = readLive(frames);
    if (message === undefined) {
      this.counters.malformed++;
      this.#options.onMalformed?.(
        frames.length === 3
          ? "a message has no sequence number"
          : `a message has ${frames.length} parts, and not topic, sequence number and payload`,
      );
      return;
    }
    await this.#comeBack();
    if (message.sequence <= this.#lastLive) {
      this.#forget();
      await this.#catchUp();
    } else if (message.sequence > this.#next) {
      if (this.#holdsSomething) this.counters.gaps++;
      await this.#catchUp();
    }
    this.#apply(message);
    this.#lastLive = message.sequence;
  }

  /** After a time without a connection: makes sure of what is known, or forgets it. */
  async #comeBack(): Promise<void> {
    if (!this.#wasAway) return;
    this.#wasAway = false;
    if ((await this.#catchUp()) !== "complete") this.#forget();
  }

  /** The next number that is wanted. */
  get #next(): number {
    return this.#last === undefined ? 0 : this.#last.sequence + 1;
  }

  /** Applies the past batches that are still to be had, from the last one that is known on. */
  async #catchUp(): Promise<ReplayOutcome> {
    const { replayEndpoint, replayTimeoutMs = 5_000 } = this.#options;
    if (replayEndpoint === undefined || this.#socket.isClosed) return "failed";
    this.counters.replays++;
    this.#replay = new Replay(replayEndpoint, replayTimeoutMs);
    const known = this.#last;
    let isProven = known === undefined;
    const outcome = await this.#replay.run(known?.sequence ?? 0, (batch) => {
      if (this.#socket.isClosed) return "stop";
      // Another publisher has another batch under this number.
      if (!isProven && batch.sequence === known?.sequence && !isSame(batch, known)) return "stop";
      isProven = true;
      this.#apply(batch);
      return "go on";
    });
    if (outcome === "failed" || isProven) return outcome;
    // It has another batch under the number, or none at all.
    this.#forget();
    return this.#catchUp();
  }

  /** Hands a batch on, unless it is known; where some before it are lost, what is known is forgotten first. */
  #apply({ sequence, payload }: SequencedPayload): void {
    if (this.#socket.isClosed || sequence < this.#next) return;
    if (sequence > this.#next) this.#forget();
    this.#last = { sequence, payload };
    this.#holdsSomething = true;
    try {
      this.#options.onPayload(payload, sequence);
      this.counters.applied++;
    } catch (error) {
      if (!(error instanceof KvEventError)) throw error;
      this.counters.malformed++;
      this.#tellToForget();
    }
  }

  /** Begins anew: nothing is known of this publisher. */
  #forget(): void {
    this.#last = undefined;
    this.#lastLive = -1;
    this.#tellToForget();
  }

  #tellToForget(): void {
    if (!this.#holdsSomething || this.#socket.isClosed) return;
    this.#holdsSomething = false;
    this.counters.forgotten++;
    this.#options.onForget();
  }
}

/** Messages that may wait, while past ones are asked for; then the publisher keeps them, up to its own limit. */
const MOST_WAITING = 10_000;

function isSame(one: SequencedPayload, other: SequencedPayload): boolean {
  return Buffer.compare(one.payload, other.payload) === 0;
}
