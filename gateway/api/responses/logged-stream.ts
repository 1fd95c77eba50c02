import type { EventStream } from "../../kernel/event-stream.ts";
import { eventsIn } from "../../requests/wire/event-text.ts";
import type { ResponseObject } from "./response.ts";
import type { ResponseLog } from "./store.ts";

/** Writes events into a log. */
export class LoggedStream implements EventStream {
  readonly response = new Response(null);
  readonly #log: ResponseLog;
  readonly #options: LoggedStreamOptions;
  #count = 0;
  #isOver = false;
  onWritable: (() => void) | undefined;
  onAbort: (() => void) | undefined;

  constructor(log: ResponseLog, options: LoggedStreamOptions = {}) {
    this.#log = log;
    this.#options = options;
  }

  /** @param text whole events */
  write(text: string): boolean {
    if (this.#isOver) return true;
    for (const event of eventsIn(text)) {
      const id = this.#options.idOf?.(this.#count);
      this.#count++;
      this.#log.append(id === undefined ? event : `id: ${id}\n${event.replaceAll(OTHER_IDS, "")}`);
    }
    return true;
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    void this.#log.end();
    this.#options.onEnd?.();
  }

  /** Ends a response that does not say itself how it ends. */
  endWith(type: string, response: ResponseObject): void {
    const data = { type, sequence_number: this.#count, response };
    this.write(`event: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
    this.end();
  }
}

export interface LoggedStreamOptions {
  /** The id of each event; default: they have none. */
  idOf?(number: number): string;
  onEnd?(): void;
}

/** Ids that an engine gives its events. */
const OTHER_IDS = /^id(?::.*)?(?:\r\n|\n|\r)/gm;
