import type { LogFields, Logger } from "./log.ts";

const INTERVAL_MS = 1000;

interface Window {
  /** On the clock of `performance.now()`. */
  readonly since: number;
  /** Warnings since the last line that have not been logged. */
  held: number;
  message: string;
  fields: LogFields;
}

/**
 * Rate-limited warnings, for conditions that may affect thousands of requests at once: the first of each kind is
 * logged at once, and those that follow as one line per second with their count.
 */
export class Warnings {
  readonly #log: Logger;
  readonly #windows = new Map<string, Window>();
  readonly #said = new Set<string>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** @param kind groups warnings, for example by error code */
  warn(kind: string, message: string, fields: LogFields): void {
    const window = this.#windows.get(kind);
    if (window === undefined) {
      this.#log.warn(message, fields);
      this.#open(kind, message, fields);
      return;
    }
    window.held++;
    window.fields = fields;
    // On workerd, a timer ends with the request that set it.
    if (performance.now() - window.since > 2 * INTERVAL_MS) this.#close(kind, window);
  }

  /** Warns once of what stays as it is. @param kind one of few, such as a model's name */
  once(kind: string, message: string, fields: LogFields): void {
    if (this.#said.has(kind)) return;
    this.#said.add(kind);
    this.#log.warn(message, fields);
  }

  #open(kind: string, message: string, fields: LogFields): void {
    const window = { since: performance.now(), held: 0, message, fields };
    this.#windows.set(kind, window);
    setTimeout(() => {
      if (this.#windows.get(kind) === window) this.#close(kind, window);
    }, INTERVAL_MS);
  }

  #close(kind: string, { held, message, fields }: Window): void {
    this.#windows.delete(kind);
    if (held === 0) return;
    this.#log.warn(message, held === 1 ? fields : { ...fields, count: held });
    this.#open(kind, message, fields);
  }
}
