import { EventLog } from "./event-log.ts";
import type { ResponseLog, ResponseStore, StoredResponse } from "./store.ts";

/** Keeps responses in memory, up to a bound; the oldest are forgotten first. */
export class MemoryResponses implements ResponseStore {
  readonly #limit: number;
  readonly #texts = new Map<string, string>();
  /** Events of responses in the background, the oldest first. */
  readonly #logs = new Map<string, EventLog>();
  #length = 0;

  /** @param limit in characters */
  constructor(limit: number) {
    this.#limit = limit;
  }

  async put(stored: StoredResponse): Promise<void> {
    const { id } = stored.response;
    this.#length -= this.#texts.get(id)?.length ?? 0;
    this.#texts.delete(id);
    const text = JSON.stringify(stored);
    this.#texts.set(id, text);
    this.#grow(text.length);
  }

  async get(id: string): Promise<StoredResponse | undefined> {
    const text = this.#texts.get(id);
    return text === undefined ? undefined : JSON.parse(text);
  }

  async delete(id: string): Promise<void> {
    this.#remove(id);
  }

  async openLog(id: string, owner: string): Promise<ResponseLog> {
    const log = new EventLog(owner, (length) => this.#grow(length));
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

  #grow(length: number): void {
    this.#length += length;
    // What is being made stays.
    for (const ids of [this.#texts.keys(), this.#logs.keys()])
      for (const oldest of ids) {
        if (this.#length <= this.#limit) return;
        if (this.#logs.get(oldest)?.isOver !== false) this.#remove(oldest);
      }
  }

  #remove(id: string): void {
    this.#length -= (this.#texts.get(id)?.length ?? 0) + (this.#logs.get(id)?.length ?? 0);
    this.#texts.delete(id);
    this.#logs.get(id)?.cancel();
    this.#logs.delete(id);
  }
}
