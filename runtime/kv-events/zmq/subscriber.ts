import { createHash } from "node:crypto";
import { KvEventError } from "../codec.ts";
import { ZmtpSubscription } from "../zmtp/subscription.ts";
import { readLive, type SequencedPayload } from "./frames.ts";
import { Replay, type ReplayOutcome } from "./replay.ts";
import type {
  ZmqPosition,
  ZmqSubscriberCounters,
  ZmqSubscriberOptions,
  ZmqSubscription,
} from "./subscription.ts";

/**
 * Follows the KV events of one rank of vLLM, or of a compatible publisher, over ZeroMQ. The receiver may know too
 * little, but never stale data: missing batches are requested again, and if they are gone `onForget` runs.
 *
 * Sequence numbers start at 0 whenever a publisher starts, and messages carry no epoch. So a replay always begins with
 * the last batch received: if it comes back unchanged, the publisher is still the same one.
 */
export class ZmqKvEventSubscriber implements ZmqSubscription {
  readonly counters: ZmqSubscriberCounters = { applied: 0, gaps: 0, replays: 0, forgotten: 0, malformed: 0 };
  readonly #options: ZmqSubscriberOptions;
  readonly #socket: ZmtpSubscription;
  /** The last batch delivered. */
  #last: KnownBatch | undefined;
  /** Number of the last message from the PUB socket; on one connection they only increase. */
  #lastLive = -1;
  /** Whether the receiver got anything since the last `onForget`. */
  #holdsSomething = false;
  #isConnected = false;
  /** Whether the connection was interrupted: messages may be lost, or the publisher may be another one. */
  #wasAway = true;
  #replay: Replay | undefined;
  /** Whether `start` has not resolved yet. */
  #isHeld = false;
  /** Whether the connection was interrupted meanwhile, so that the publisher may be another one. */
  #wasCutWhileHeld = false;
  /** Whether what is known is from `start`, and the first connection has not been used yet. */
  #isInherited = false;
  /** Messages and connections are processed one after the other. */
  #work: Promise<void> = Promise.resolve();

  /** Queued tasks. */
  #waiting = 0;

  /**
   * Connects, and reconnects as needed; first replays the publisher's past batches.
   * @throws RangeError for an invalid endpoint
   */
  constructor(options: ZmqSubscriberOptions) {
    this.#options = options;
    if (options.start !== undefined) this.#hold(options.start);
    this.#socket = new ZmtpSubscription(options.endpoint, options.topic ?? "", {
      onConnected: () => {
        this.#isConnected = true;
        void this.#enqueue(() => this.#resync());
      },
      onDisconnected: () => {
        this.#isConnected = false;
        this.#wasAway = true;
        this.#wasCutWhileHeld ||= this.#isHeld;
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

  get position(): ZmqPosition | undefined {
    if (this.#wasAway || this.#last === undefined) return undefined;
    return { sequence: this.#last.sequence, digest: digestOf(this.#last) };
  }

  /** Ends the subscription; no callback runs after it. */
  close(): void {
    this.#isConnected = false;
    this.#socket.close();
    this.#replay?.close();
  }

  #hold(start: Promise<ZmqPosition | undefined>): void {
    this.#isHeld = true;
    void this.#enqueue(async () => {
      const position = await start;
      this.#isHeld = false;
      if (position === undefined || this.#socket.isClosed) return;
      this.#holdsSomething = true;
      if (this.#wasCutWhileHeld) return this.#forget();
      this.#last = position;
      this.#isInherited = true;
      this.counters.applied++;
    });
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

  /** The message's content is lost: the receiver starts over, and later messages continue. */
  #onFault(error: unknown): void {
    this.counters.malformed++;
    this.#options.onFault?.(error);
    try {
      this.#reset();
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
    await this.#resync();
    if (this.#isAnother(message) || message.sequence <= this.#lastLive) {
      this.#forget();
      await this.#catchUp();
    } else if (message.sequence > this.#next) {
      if (this.#holdsSomething) this.counters.gaps++;
      await this.#catchUp();
    }
    this.#apply(message);
    this.#lastLive = message.sequence;
  }

  /** After a reconnect: verifies what is known, or forgets it. */
  async #resync(): Promise<void> {
    if (!this.#wasAway) return;
    this.#wasAway = false;
    const isInherited = this.#isInherited;
    this.#isInherited = false;
    const outcome = await this.#catchUp();
    // Nothing was missed on this connection yet: the number of its first message shows whether what is known is current.
    if (outcome === "complete" || (isInherited && outcome === "failed")) return;
    this.#forget();
  }

  /** Whether it has the number of the last known batch, but is not that batch: the publisher is another one. */
  #isAnother(message: SequencedPayload): boolean {
    const last = this.#last;
    return last !== undefined && message.sequence === last.sequence && !isSame(message, last);
  }

  /** The next expected number. */
  get #next(): number {
    return this.#last === undefined ? 0 : this.#last.sequence + 1;
  }

  /** Applies the past batches that are still available, from the last known one on. */
  async #catchUp(): Promise<ReplayOutcome> {
    const { replayEndpoint, replayTimeoutMs = 5_000 } = this.#options;
    if (replayEndpoint === undefined || this.#socket.isClosed) return "failed";
    this.counters.replays++;
    this.#replay = new Replay(replayEndpoint, replayTimeoutMs);
    const known = this.#last;
    let isProven = known === undefined;
    const outcome = await this.#replay.run(known?.sequence ?? 0, (batch) => {
      if (this.#socket.isClosed) return "stop";
      // A different batch with this number means another publisher.
      if (!isProven && batch.sequence === known?.sequence && !isSame(batch, known)) return "stop";
      isProven = true;
      this.#apply(batch);
      return "continue";
    });
    if (outcome === "failed" || isProven) return outcome;
    // It has another batch with this number, or none.
    this.#forget();
    return this.#catchUp();
  }

  /** Delivers a batch, unless it is known; if earlier ones are lost, forgets everything first. */
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
      this.#reset();
    }
  }

  /** Starts over, knowing nothing of this publisher. */
  #forget(): void {
    this.#last = undefined;
    this.#lastLive = -1;
    this.#reset();
  }

  #reset(): void {
    if (!this.#holdsSomething || this.#socket.isClosed) return;
    this.#holdsSomething = false;
    this.counters.forgotten++;
    this.#options.onForget();
  }
}

/** Most messages to queue during a replay; beyond that the publisher buffers them, up to its own limit. */
const MOST_WAITING = 10_000;

/** A batch that was delivered here, or to the subscriber from which this one continues. */
type KnownBatch = SequencedPayload | ZmqPosition;

function isSame({ sequence, payload }: SequencedPayload, known: KnownBatch): boolean {
  return "payload" in known
    ? Buffer.compare(payload, known.payload) === 0
    : Buffer.compare(digestOf({ sequence, payload }), known.digest) === 0;
}

function digestOf(known: KnownBatch): Uint8Array {
  if ("digest" in known) return known.digest;
  return createHash("sha256").update(known.payload).digest().subarray(0, 16);
}
