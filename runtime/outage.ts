import type { Logger } from "./log.ts";

/** What the log says. */
export interface OutageWords {
  readonly lost: string;
  readonly back: string;
}

/** Logs an outage once with its reason, again only if the reason turns out to be another, and its end. */
export class Outage {
  readonly #log: Logger;
  readonly #words: OutageWords;
  /** The reason that the log names; undefined if there is no outage. */
  #reason: string | undefined;
  /** The last reason given. */
  #last: string | undefined;

  constructor(log: Logger, words: OutageWords) {
    this.#log = log;
    this.#words = words;
  }

  get isOn(): boolean {
    return this.#reason !== undefined;
  }

  /** Notes why the outage begins or goes on. Another reason counts once it is given twice in a row. */
  report(reason: string): void {
    const isNew = this.#reason === undefined || (reason !== this.#reason && reason === this.#last);
    this.#last = reason;
    if (!isNew) return;
    this.#reason = reason;
    this.#log.warn(this.#words.lost, { reason });
  }

  /** Notes that all is well. */
  end(fields: Record<string, unknown> = {}): void {
    if (this.#reason === undefined) return;
    this.#reason = undefined;
    this.#last = undefined;
    this.#log.info(this.#words.back, fields);
  }
}
