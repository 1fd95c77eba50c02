/** The header of a part: the text's id, the part's index and the number of parts. */
export const PART = "Stator-Part";

/** What headers take of a message, at most, in bytes. */
const HEADERS_BYTES = 1024;
/** NATS's default. */
const DEFAULT_PAYLOAD = 1024 * 1024;

/** Bytes as pieces that fit into messages. @param maxPayload of the server, in bytes */
export function partsOf(bytes: Uint8Array, maxPayload = DEFAULT_PAYLOAD): Uint8Array[] {
  const size = Math.max(1, maxPayload - HEADERS_BYTES);
  const count = Math.max(1, Math.ceil(bytes.length / size));
  return Array.from({ length: count }, (_, index) => bytes.subarray(index * size, (index + 1) * size));
}

/** Joins the parts of texts, which may come between each other's. */
export class PartJoiner {
  readonly #open = new Map<string, Uint8Array[]>();

  /** Whether a text lacks parts. */
  get hasOpen(): boolean {
    return this.#open.size > 0;
  }

  /**
   * @param mark the part's header
   * @returns the text, if this is its last part; undefined if it lacks parts
   */
  add(mark: string, bytes: Uint8Array): string | undefined {
    const [id = "", index, count] = mark.split("/");
    const parts = this.#open.get(id) ?? [];
    // One that misses its beginning, which was removed, is never whole.
    if (parts.length !== Number(index)) return undefined;
    parts.push(bytes);
    if (parts.length < Number(count)) {
      this.#open.set(id, parts);
      return undefined;
    }
    this.#open.delete(id);
    const decoder = new TextDecoder();
    return parts.map((part) => decoder.decode(part, { stream: true })).join("") + decoder.decode();
  }
}
