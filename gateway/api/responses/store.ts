import type { ResponseObject } from "./response.ts";
import type { InputItem } from "./schemas.ts";

/** A response that can be retrieved and continued. */
export interface StoredResponse {
  /** Id of the key that it belongs to; empty if clients need none. */
  readonly owner: string;
  readonly response: ResponseObject;
  /** What the request added to the conversation. */
  readonly input: readonly InputItem[];
}

/** Where responses are kept. */
export interface ResponseStore {
  put(stored: StoredResponse): Promise<void>;
  get(id: string): Promise<StoredResponse | undefined>;
  delete(id: string): Promise<void>;
}

/** Keeps responses in memory, up to a bound; the oldest are forgotten first. */
export class MemoryResponses implements ResponseStore {
  readonly #limit: number;
  readonly #texts = new Map<string, string>();
  #length = 0;

  /** @param limit in characters of JSON */
  constructor(limit: number) {
    this.#limit = limit;
  }

  async put(stored: StoredResponse): Promise<void> {
    const { id } = stored.response;
    this.#remove(id);
    const text = JSON.stringify(stored);
    this.#texts.set(id, text);
    this.#length += text.length;
    for (const oldest of this.#texts.keys()) {
      if (this.#length <= this.#limit) break;
      this.#remove(oldest);
    }
  }

  async get(id: string): Promise<StoredResponse | undefined> {
    const text = this.#texts.get(id);
    return text === undefined ? undefined : JSON.parse(text);
  }

  async delete(id: string): Promise<void> {
    this.#remove(id);
  }

  #remove(id: string): void {
    this.#length -= this.#texts.get(id)?.length ?? 0;
    this.#texts.delete(id);
  }
}
