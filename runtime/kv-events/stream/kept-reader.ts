import { decodeMessage, decodeParts, type KvMessage, messageKind } from "../wire.ts";

/** A kept message does not continue the ones before it. */
export class MissingBatch extends Error {}

/** Reads what a stream keeps of a publisher: a snapshot, and the batches after it. */
export class KeptReader {
  readonly #apply: (message: KvMessage) => void;
  readonly #onSnapshot: () => void;
  #next = 0;
  /** Parts so far of a snapshot whose end has not come. */
  #parts: number | undefined;

  constructor(apply: (message: KvMessage) => void, onSnapshot: () => void) {
    this.#apply = apply;
    this.#onSnapshot = onSnapshot;
  }

  /** @throws MissingBatch if the message does not continue the ones before it */
  read(bytes: Uint8Array): void {
    const message = decodeMessage(bytes);
    switch (message?.kind) {
      case messageKind.snapshotBegin:
        // A newer snapshot may have replaced the rest of this one.
        this.#parts = 0;
        this.#next = message.sequence;
        this.#onSnapshot();
        break;
      case messageKind.snapshotBatch:
        if (this.#parts === undefined || message.sequence !== this.#next) throw new MissingBatch();
        this.#parts++;
        this.#apply(message);
        break;
      case messageKind.snapshotEnd:
        if (decodeParts(message.payload) !== this.#parts) throw new MissingBatch();
        this.#parts = undefined;
        break;
      case messageKind.batch:
      case messageKind.omitted:
        this.#batch(message);
        break;
    }
  }

  /** @returns the number of the next batch. @throws MissingBatch if a snapshot's end is missing */
  end(): number {
    if (this.#parts !== undefined) throw new MissingBatch();
    return this.#next;
  }

  #batch(message: KvMessage): void {
    const next = this.end();
    if (message.sequence < next) return;
    if (message.sequence > next || message.kind === messageKind.omitted) throw new MissingBatch();
    this.#next = next + 1;
    this.#apply(message);
  }
}
