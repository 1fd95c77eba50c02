import type { StoredMsg } from "@nats-io/jetstream";
import { PART, PartJoiner } from "./parts.ts";

/** A text of a log. */
export interface LogEntry {
  readonly text: string;
  /** The sequence number of its last message in the stream. */
  readonly sequence: number;
  readonly at: Date;
}

/** Reads a log's texts in order. */
export class LogReader {
  readonly #next: (from: number) => Promise<StoredMsg | null>;
  readonly #joiner = new PartJoiner();
  #from = 1;

  /** @param next gets the log's first message from a sequence number on */
  constructor(next: (from: number) => Promise<StoredMsg | null>) {
    this.#next = next;
  }

  /** Whether a text that was read lacks parts: it is just being appended, or never was to its end. */
  get isTorn(): boolean {
    return this.#joiner.hasOpen;
  }

  /** The next text; undefined if there is none yet. */
  async next(): Promise<LogEntry | undefined> {
    for (;;) {
      const message = await this.#next(this.#from);
      if (message === null) return undefined;
      this.#from = message.seq + 1;
      const text = this.#joiner.add(message.header.get(PART), message.data);
      if (text !== undefined) return { text, sequence: message.seq, at: message.time };
    }
  }

  /** All texts that are there. */
  async rest(): Promise<LogEntry[]> {
    const entries: LogEntry[] = [];
    for (let entry = await this.next(); entry !== undefined; entry = await this.next()) entries.push(entry);
    return entries;
  }
}
