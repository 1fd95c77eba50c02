import { messageOf } from "#runtime";
import { NatsLogs } from "#runtime/node";
import type { Change } from "../../../api/conversations/changes.ts";
import { isKept } from "../../../api/responses/items.ts";
import type { ResponseLog, ResponseStore, StoredResponse } from "../../../api/responses/store.ts";
import { ApiError } from "../../../kernel/errors.ts";
import { endForMaker } from "./dead-maker.ts";
import { type Entry, type Summary, summarized } from "./nats-changes.ts";
import { followLog } from "./nats-follow.ts";
import { NatsLog } from "./nats-log.ts";
import { Makers } from "./nats-makers.ts";

/** Most bytes that a new stream keeps; the oldest are removed first. */
const MAX_BYTES = 2 ** 30;
/** A conversation with more entries is summarised, to be read faster. */
const MOST_ENTRIES = 64;

/**
 * Keeps responses and conversations in a stream of NATS JetStream, for all gateways that use it. The stream removes what
 * was not changed for the time to live, and the oldest beyond its size.
 */
export class NatsResponses implements ResponseStore {
  readonly #logs: NatsLogs;
  readonly #makers: Makers;
  readonly #ttlMs: number;

  /**
   * @param onWait called once, with the reason, if NATS does not answer at first
   * @throws Error with the reason if NATS cannot be reached
   */
  static async open(url: string, ttlMs: number, onWait = (_reason: string) => {}): Promise<NatsResponses> {
    const description = "Responses and conversations of Stator's gateways";
    const options = { kind: "responses", description, maxBytes: MAX_BYTES, maxAgeMs: ttlMs, onWait };
    const logs = await NatsLogs.open(url, options).catch((error: unknown) => {
      throw new Error(`Responses cannot be kept where --responses-store says: ${messageOf(error)}`, {
        cause: error,
      });
    });
    return new NatsResponses(logs, ttlMs);
  }

  private constructor(logs: NatsLogs, ttlMs: number) {
    this.#logs = logs;
    this.#makers = new Makers(logs);
    this.#ttlMs = ttlMs;
  }

  put(stored: StoredResponse): Promise<void> {
    return this.#reach(async () => {
      const log = `${stored.response.id}.value`;
      const first = await this.#logs.append(log, JSON.stringify(stored));
      await this.#logs.remove(log, first);
    });
  }

  settle(stored: StoredResponse): Promise<boolean> {
    return this.#reach(async () => {
      const { id } = stored.response;
      const before = await this.#latest(id);
      if (before?.stored.response.status !== "in_progress") return false;
      const log = `${id}.value`;
      const first = await this.#logs.appendAfter(log, JSON.stringify(stored), before.sequence);
      if (first !== undefined) await this.#logs.remove(log, first);
      return first !== undefined;
    });
  }

  get(id: string): Promise<StoredResponse | undefined> {
    return this.#reach(async () => {
      const { stored } = (await this.#latest(id)) ?? {};
      if (stored?.response.status !== "in_progress" || (await this.#makers.isMade(id))) return stored;
      return endForMaker(this, stored, async () => (await this.#latest(id))?.stored);
    });
  }

  begin(id: string, created: Change): Promise<void> {
    return this.#reach(async () => void (await this.#logs.append(`${id}.changes`, JSON.stringify(created))));
  }

  change(id: string, change: Change): Promise<boolean> {
    return this.#reach(async () => {
      const oldest = isKept(id) ? await this.#logs.read(`${id}.changes`).next() : undefined;
      if (oldest === undefined) return false;
      await this.#logs.append(`${id}.changes`, JSON.stringify(change));
      // Its first changes would be removed before the others.
      if (Date.now() - oldest.at.getTime() > this.#ttlMs / 2) await this.#read(id, () => true);
      return true;
    });
  }

  changes(id: string): Promise<readonly Change[] | undefined> {
    return this.#reach(async () =>
      isKept(id) ? this.#read(id, (entries) => entries > MOST_ENTRIES) : undefined,
    );
  }

  delete(id: string): Promise<void> {
    return this.#reach(async () => {
      if (!isKept(id)) return;
      // Its maker stores how it ends only if it is still there when it is cancelled.
      await this.#logs.remove(`${id}.value`);
      await this.#makers.cancel(id);
      await this.#logs.remove(`${id}.*`);
    });
  }

  openLog(id: string, owner: string): Promise<ResponseLog> {
    return this.#reach(async () => {
      const log = new NatsLog(this.#logs, this.#makers, id);
      await this.#logs.append(`${id}.events`, JSON.stringify({ owner }));
      return log;
    });
  }

  follow(
    id: string,
    owner: string,
    from: number,
    signal: AbortSignal,
  ): Promise<AsyncIterable<string> | undefined> {
    return this.#reach(async () => {
      if (!isKept(id)) return undefined;
      const reader = this.#logs.read(`${id}.events`);
      const head = await reader.next();
      if (head === undefined || JSON.parse(head.text).owner !== owner) return undefined;
      return followLog(this.#logs, this.#makers, id, reader, from, signal);
    });
  }

  cancel(id: string): Promise<void> {
    return this.#reach(async () => {
      if (isKept(id)) await this.#makers.cancel(id);
    });
  }

  close(): void {
    this.#logs.close();
  }

  /** A response as it was stored last. */
  async #latest(id: string): Promise<{ stored: StoredResponse; sequence: number } | undefined> {
    const entry = isKept(id) ? (await this.#logs.read(`${id}.value`).rest()).at(-1) : undefined;
    return entry && { stored: JSON.parse(entry.text), sequence: entry.sequence };
  }

  /** Reads a conversation, and summarises it if its number of entries says so. */
  async #read(id: string, isLong: (entries: number) => boolean): Promise<readonly Change[] | undefined> {
    const reader = this.#logs.read(`${id}.changes`);
    const read = await reader.rest();
    const last = read.at(-1);
    if (last === undefined) return undefined;
    const changes = summarized(
      read.map(({ sequence, text }) => ({ sequence, entry: JSON.parse(text) as Entry })),
    );
    if (!reader.isTorn && isLong(read.length))
      await this.#summarize(id, { type: "summary", upTo: last.sequence, changes });
    return changes;
  }

  /** Replaces a conversation's changes by one entry. Those that are appended meanwhile stay. */
  async #summarize(id: string, summary: Summary): Promise<void> {
    await this.#logs.append(`${id}.changes`, JSON.stringify(summary));
    await this.#logs.remove(`${id}.changes`, summary.upTo + 1);
  }

  /** @throws ApiError 503 if NATS cannot be reached */
  async #reach<Value>(work: () => Promise<Value>): Promise<Value> {
    try {
      return await work();
    } catch (cause) {
      throw new ApiError(
        503,
        "service_unavailable_error",
        `The store of responses cannot be reached: ${this.#logs.explain(cause)}`,
        { code: "responses_store_unavailable", headers: { "retry-after": "5" }, cause },
      );
    }
  }
}
