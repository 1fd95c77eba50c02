import type { Change } from "../conversations/changes.ts";
import { EventLog } from "./event-log.ts";
import type { ResponseLog, ResponseStore, StoredResponse } from "./store.ts";

/** A response, or a conversation's changes, as JSON. */
interface Kept {
  readonly texts: readonly string[];
  /** In characters. */
  readonly length: number;
  /** When it expires, in milliseconds since 1970. */
  readonly until: number;
}

/** Keeps responses and conversations in memory, up to a bound; the oldest are forgotten first. */
export class MemoryResponses implements ResponseStore {
  readonly #limit: number;
  readonly #ttlMs: number;
  /** The one that was changed last comes last. */
  readonly #kept = new Map<string, Kept>();
  /** Events of responses in the background, the oldest first. */
  readonly #logs = new Map<string, EventLog>();
  #length = 0;

  /**
   * @param limit in characters
   * @param ttlMs how long what is not changed is kept
   */
  constructor(limit: number, ttlMs: number) {
    this.#limit = limit;
    this.#ttlMs = ttlMs;
  }

  async put(stored: StoredResponse): Promise<void> {
    this.#keep(stored.response.id, [JSON.stringify(stored)]);
  }

  async settle(stored: StoredResponse): Promise<boolean> {
    const { id } = stored.response;
    // Nothing comes between.
    const before = this.#responseOf(id);
    if (before?.response.status !== "in_progress") return false;
    this.#keep(id, [JSON.stringify(stored)]);
    return true;
  }

  async get(id: string): Promise<StoredResponse | undefined> {
    return this.#responseOf(id);
  }

  async begin(id: string, created: Change): Promise<void> {
    this.#keep(id, [JSON.stringify(created)]);
  }

  async change(id: string, change: Change): Promise<boolean> {
    const before = this.#textsOf(id);
    if (before !== undefined) this.#keep(id, [...before, JSON.stringify(change)]);
    return before !== undefined;
  }

  async changes(id: string): Promise<readonly Change[] | undefined> {
    return this.#textsOf(id)?.map((text) => JSON.parse(text));
  }

  async delete(id: string): Promise<void> {
    this.#remove(id);
  }

  async openLog(id: string, owner: string): Promise<ResponseLog> {
    const log = new EventLog(owner, (length) => {
      // Its last events may come after it was deleted.
      if (this.#logs.get(id) === log) this.#grow(length);
    });
    this.#logs.set(id, log);
    return log;
  }

  async follow(
    id: string,
    owner: string,
    from: number,
    signal: AbortSignal,
  ): Promise<AsyncIterable<string> | undefined> {
    const log = this.#logs.get(id);
    return log?.owner === owner ? log.follow(from, signal) : undefined;
  }

  async cancel(id: string): Promise<void> {
    this.#logs.get(id)?.cancel();
  }

  close(): void {}

  #responseOf(id: string): StoredResponse | undefined {
    const [text] = this.#textsOf(id) ?? [];
    return text === undefined ? undefined : JSON.parse(text);
  }

  #textsOf(id: string): readonly string[] | undefined {
    const kept = this.#kept.get(id);
    return kept !== undefined && kept.until > Date.now() ? kept.texts : undefined;
  }

  #keep(id: string, texts: readonly string[]): void {
    this.#length -= this.#kept.get(id)?.length ?? 0;
    this.#kept.delete(id);
    const length = texts.reduce((sum, text) => sum + text.length, 0);
    this.#kept.set(id, { texts, length, until: Date.now() + this.#ttlMs });
    this.#grow(length);
  }

  #grow(length: number): void {
    this.#length += length;
    const now = Date.now();
    for (const [id, { until }] of this.#kept) {
      if (until > now) break;
      this.#removeUnlessMade(id);
    }
    for (const ids of [this.#kept.keys(), this.#logs.keys()])
      for (const oldest of ids) {
        if (this.#length <= this.#limit) return;
        this.#removeUnlessMade(oldest);
      }
  }

  /** What is being made stays. */
  #removeUnlessMade(id: string): void {
    if (this.#logs.get(id)?.isOver !== false) this.#remove(id);
  }

  #remove(id: string): void {
    this.#length -= (this.#kept.get(id)?.length ?? 0) + (this.#logs.get(id)?.length ?? 0);
    this.#kept.delete(id);
    this.#logs.get(id)?.cancel();
    this.#logs.delete(id);
  }
}
