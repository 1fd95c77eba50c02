import { randomId } from "#runtime";
import type { NatsLogs } from "#runtime/node";
import type { ResponseLog } from "../../../api/responses/store.ts";
import type { Makers } from "./nats-makers.ts";

/** A text of a log, after its head. */
export interface Events {
  /** How many events come before; a log that was deleted misses some. */
  readonly from: number;
  readonly events: readonly string[];
  readonly isLast: boolean;
}

/** While NATS is away, writing is tried again this often, every so many milliseconds. */
const ATTEMPTS = 20;
const RETRY_MS = 1_000;

/** Appends the events of a response that this process makes. */
export class NatsLog implements ResponseLog {
  readonly #logs: NatsLogs;
  readonly #log: string;
  readonly #cancelling = new AbortController();
  readonly #stop: () => void;
  #hasFailed = false;
  /** What is to be written next. */
  #events: string[] = [];
  #written = 0;
  #writing: Promise<void> | undefined;

  constructor(logs: NatsLogs, makers: Makers, id: string) {
    this.#logs = logs;
    this.#log = `${id}.events`;
    this.#stop = makers.make(id, () => this.#cancelling.abort());
  }

  get cancelled(): AbortSignal {
    return this.#cancelling.signal;
  }

  append(event: string): void {
    this.#events.push(event);
    this.#writing ??= this.#write();
  }

  async end(): Promise<void> {
    await this.#writing;
    await this.#append([], true);
    this.#stop();
  }

  async #write(): Promise<void> {
    while (this.#events.length > 0) await this.#append(this.#events.splice(0), false);
    this.#writing = undefined;
  }

  /** Nobody can follow a response whose events cannot be written, so that it is cancelled. */
  async #append(events: readonly string[], isLast: boolean): Promise<void> {
    const id = randomId();
    const text = JSON.stringify({ from: this.#written, events, isLast } satisfies Events);
    this.#written += events.length;
    for (let attempt = 1; attempt <= ATTEMPTS && !this.#hasFailed; attempt++) {
      try {
        await this.#logs.append(this.#log, text, id);
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
    this.#hasFailed = true;
    this.#cancelling.abort();
  }
}
