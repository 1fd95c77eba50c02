import type { Logger } from "../../log.ts";
import { messageOf } from "../../message-of.ts";
import { Outage } from "../../outage.ts";
import { within } from "../../within.ts";
import type { KvEventPublisher } from "../publisher.ts";
import { encodeMessage, messageKind } from "../wire.ts";
import { headSubject, liveSubject } from "./names.ts";
import { writeSnapshot } from "./snapshot-writer.ts";
import { KEPT_MESSAGES, type NatsKvEvents, RejectedMessage } from "./stream.ts";

/** One batch in so many, or so many bytes, is published with an acknowledgement: 100 µs of CPU instead of 4. */
const ACK_BATCHES = 100;
const ACK_BYTES = 1024 * 1024;
/** The most acknowledgements to wait for; they bound what the client holds for a server that hangs. */
const MOST_ACKS = 8;
/**
 * Batches between two snapshots. Each takes the worker 6 µs for each block of its cache, so they are as rare as what the
 * stream keeps allows, with a reserve for the batches that come while one is written.
 */
const SNAPSHOT_BATCHES = (KEPT_MESSAGES * 3) / 4;
/** Interval of confirming what no acknowledgement has, in milliseconds. */
const CONFIRM_MS = 1_000;
/** Checks without progress after which batches count as lost. */
const STALLED_CHECKS = 2;
/** Interval of telling gateways how many batches were sent, in milliseconds. */
const BEAT_MS = 2_000;
const RETRY_MS = 1_000;
const PURGE_MS = 1_000;
const OUTAGE = {
  lost: "KV events do not reach NATS; until they do, gateways take them from this worker",
  back: "KV events reach NATS again",
};

/**
 * Publishes a worker's KV events once for all gateways, to a stream that keeps the latest. The publisher's ring is the
 * only queue, of which this is a position. Batches that were lost in an outage are published again, or a snapshot if
 * they have left the ring. So NATS may be away for any time: nothing waits for it.
 */
export class NatsKvEventPublisher {
  /** Where gateways find the events; for discovery. */
  readonly subject: string;
  readonly #events: KvEventPublisher;
  readonly #stream: NatsKvEvents;
  readonly #log: Logger;
  readonly #snapshotBatches: number;
  readonly #timers: readonly ReturnType<typeof setInterval>[];
  readonly #stops: readonly (() => void)[];
  /** The number of the next batch to send, and of the first that is not known to be in the stream. */
  #next = 0;
  #confirmed = 0;
  /** Acknowledgements under way, and what has been sent since the last of them was requested. */
  #acks = 0;
  #unacknowledged = { batches: 0, bytes: 0 };
  /** The first number after the stream's snapshot; 0 without one, while the stream has every batch. */
  #snapshotAt = 0;
  /** Counts the times that batches may have been lost: what was under way before does not matter. */
  #session = 0;
  #isReady = false;
  #isSyncing = false;
  /** When it last went on after an outage, on the clock of `performance.now()`. */
  #resumedAt = Number.NEGATIVE_INFINITY;
  #isWriting = false;
  #isChecking = false;
  #stalledChecks = 0;
  #snapshots = 0;
  #isClosed = false;
  /** Whether the stream has left batches unconfirmed: only a confirmation shows that it takes them again. */
  #needsConfirmation = false;
  /** Whether NATS does not permit publishing batches, as far as is known, and how often it refused a message. */
  #isRefused = false;
  #refusals = 0;
  readonly #outage: Outage;

  /** @param snapshotBatches batches between two snapshots; the stream must keep more */
  constructor(
    events: KvEventPublisher,
    stream: NatsKvEvents,
    log: Logger,
    snapshotBatches = SNAPSHOT_BATCHES,
  ) {
    this.subject = stream.subjectOf(events.epoch);
    this.#events = events;
    this.#stream = stream;
    this.#log = log;
    this.#outage = new Outage(log, OUTAGE);
    this.#snapshotBatches = snapshotBatches;
    this.#stops = [
      events.onPublished(() => this.#pump()),
      stream.onState((isConnected, reason) => this.#onState(isConnected, reason)),
      stream.onRefusal((subject) => this.#onRefusal(subject)),
    ];
    this.#timers = [
      setInterval(() => this.#beat(), BEAT_MS).unref(),
      setInterval(() => void this.#check(), CONFIRM_MS).unref(),
    ];
    void this.#sync();
  }

  /** Batches that have been sent to the stream. */
  get published(): number {
    return this.#next;
  }

  /** Batches that the stream does not have yet, as far as is known. */
  get waiting(): number {
    return this.#events.published - this.#confirmed;
  }

  /** Snapshots written to the stream. */
  get snapshots(): number {
    return this.#snapshots;
  }

  /** Whether batches now reach the stream, as far as is known. */
  get isLive(): boolean {
    return this.#canSend && !this.#outage.isOn;
  }

  get #canSend(): boolean {
    return this.#isReady && this.#stream.isConnected && !this.#isClosed;
  }

  /** Stops, and removes what the stream keeps of this worker, if NATS answers within a second. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#session++;
    for (const timer of this.#timers) clearInterval(timer);
    for (const stop of this.#stops) stop();
    if (!this.#stream.isConnected) return;
    const purge = this.#stream.purge(this.subject);
    await within(PURGE_MS, purge, () => new Error("NATS does not answer")).catch((error) =>
      this.#log.debug("cannot remove the worker's KV events from NATS", { reason: messageOf(error) }),
    );
  }

  #onState(isConnected: boolean, reason = "the stream does not answer"): void {
    this.#session++;
    this.#isReady = false;
    if (isConnected) void this.#sync();
    else this.#outage.report(reason);
  }

  #onRefusal(subject: string): void {
    const isBatch = subject === liveSubject(this.subject);
    if (!isBatch && subject !== headSubject(this.subject)) return;
    this.#refusals++;
    if (isBatch) {
      this.#isRefused = true;
      this.#needsConfirmation = true;
    }
    this.#outage.report(`permissions violation: the worker's NATS user may not publish to ${this.subject}.*`);
  }

  #pump(): void {
    if (!this.#canSend) return;
    while (this.#next < this.#events.published && this.#acks < MOST_ACKS) {
      // One at a time shows whether it is permitted by now.
      if (this.#isRefused && this.#next > this.#confirmed) break;
      const message = this.#events.message(this.#next);
      if (message === undefined) {
        // NATS is slower than the engine.
        this.#skipTo(this.#events.published);
        break;
      }
      this.#send(this.#next++, message);
    }
    if (this.#next - this.#snapshotAt >= this.#snapshotBatches) void this.#writeSnapshot();
  }

  #send(number: number, message: Uint8Array): void {
    const { connection } = this.#stream;
    const subject = liveSubject(this.subject);
    const isTooLarge = message.length > (connection.info?.max_payload ?? Number.POSITIVE_INFINITY);
    const payload = isTooLarge ? encodeMessage(messageKind.omitted, number) : message;
    this.#unacknowledged.batches++;
    this.#unacknowledged.bytes += payload.length;
    const { batches, bytes } = this.#unacknowledged;
    const isTrial = this.#needsConfirmation && this.#acks === 0;
    if (!isTrial && batches < ACK_BATCHES && bytes < ACK_BYTES) connection.publish(subject, payload);
    else void this.#sendAcknowledged(number, subject, payload);
  }

  async #sendAcknowledged(number: number, subject: string, payload: Uint8Array): Promise<void> {
    const session = this.#session;
    this.#acks++;
    this.#unacknowledged = { batches: 0, bytes: 0 };
    try {
      await this.#stream.publishAcknowledged(subject, payload);
      if (session !== this.#session) return;
      this.#acks--;
      this.#confirm(number + 1);
      this.#pump();
    } catch (error) {
      if (session !== this.#session) return;
      this.#noteUnconfirmed(error);
      void this.#sync();
    }
  }

  #confirm(next: number): void {
    if (next <= this.#confirmed) return;
    this.#confirmed = next;
    this.#stalledChecks = 0;
    this.#noteConfirmed();
  }

  #noteConfirmed(): void {
    this.#needsConfirmation = false;
    this.#isRefused = false;
  }

  /** @param error what the stream said of a batch; undefined if it said nothing */
  #noteUnconfirmed(error?: unknown): void {
    this.#needsConfirmation = true;
    // That it is not permitted has been said.
    if (this.#isRefused) return;
    const said = error instanceof RejectedMessage ? `: ${error.message}` : "";
    this.#outage.report(`the stream ${this.#stream.name} does not confirm batches${said}`);
  }

  /** Leaves out batches that are no longer known; a snapshot makes up for them. */
  #skipTo(next: number): void {
    this.#next = next;
    this.#confirmed = next;
    this.#snapshotAt = Number.NEGATIVE_INFINITY;
  }

  /** Goes on after the last batch that the stream has, as soon as it answers. */
  async #sync(): Promise<void> {
    this.#isReady = false;
    this.#session++;
    if (this.#isSyncing) return;
    this.#isSyncing = true;
    while (!this.#isClosed && !this.#isReady && this.#stream.isConnected) {
      // A stream that answers but takes nothing, because it is full for example, must not keep the worker busy.
      await sleep(this.#resumedAt + RETRY_MS - performance.now());
      const session = this.#session;
      try {
        await this.#stream.ensure();
        const last = await this.#stream.lastNumber(this.subject);
        if (session === this.#session && !this.#isClosed) this.#resumeAfter(last);
      } catch (error) {
        if (!this.#isClosed) this.#outage.report(this.#stream.explain(error));
        await sleep(RETRY_MS);
      }
    }
    this.#isSyncing = false;
    this.#pump();
  }

  #resumeAfter(last: number): void {
    // A stream without any batch may have lost its snapshot too.
    if (last < 0) this.#snapshotAt = Math.min(this.#snapshotAt, 0);
    const next = Math.min(last + 1, this.#events.published);
    if (next > this.#confirmed) this.#noteConfirmed();
    if (next < this.#events.oldest) this.#skipTo(this.#events.published);
    else {
      this.#next = next;
      this.#confirmed = next;
    }
    this.#acks = 0;
    this.#unacknowledged = { batches: 0, bytes: 0 };
    this.#stalledChecks = 0;
    this.#resumedAt = performance.now();
    this.#isReady = true;
    this.#pump();
    this.#beat();
    void this.#check();
  }

  async #writeSnapshot(): Promise<void> {
    if (this.#isWriting) return;
    this.#isWriting = true;
    const session = this.#session;
    const snapshot = this.#events.snapshot(KEPT_MESSAGES - 2);
    try {
      const goesOn = () => session === this.#session;
      if (await writeSnapshot(this.#stream, this.subject, snapshot, goesOn)) {
        this.#snapshots++;
        if (this.#next === this.#confirmed) this.#noteConfirmed();
      }
    } catch (error) {
      this.#log.debug("cannot write a snapshot of the KV cache to NATS", { reason: messageOf(error) });
    } finally {
      this.#isWriting = false;
      // Without one, new gateways ask this worker.
      if (session === this.#session) this.#snapshotAt = snapshot.next;
    }
  }

  /** Not while batches are refused or unconfirmed: gateways would take them for sent. */
  #beat(): void {
    if (!this.#canSend || this.#needsConfirmation) return;
    this.#stream.connection.publish(headSubject(this.subject), encodeMessage(messageKind.hello, this.#next));
  }

  /** Confirms the batches since the last acknowledged one, and finds out whether any were lost, or an outage is over. */
  async #check(): Promise<void> {
    const isDue = this.#next > this.#confirmed || this.#outage.isOn;
    if (!this.#canSend || this.#isChecking || !isDue) return;
    this.#isChecking = true;
    const session = this.#session;
    const before = this.#confirmed;
    const isWaiting = this.#next > before;
    const refusals = this.#refusals;
    try {
      if (this.#outage.isOn) this.#beat();
      const last = await this.#stream.lastNumber(this.subject);
      // NATS has refused the beat by now, if it does.
      await new Promise((resolve) => setImmediate(resolve));
      if (session !== this.#session) return;
      this.#confirm(last + 1);
      if (this.#confirmed > before) this.#pump();
      else if (isWaiting && ++this.#stalledChecks >= STALLED_CHECKS) {
        this.#noteUnconfirmed();
        void this.#sync();
      }
      if (!this.#needsConfirmation && refusals === this.#refusals)
        this.#outage.end({ batches: this.waiting });
    } catch {
      if (session === this.#session) void this.#sync();
    } finally {
      this.#isChecking = false;
    }
  }
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
