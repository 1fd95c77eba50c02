import type { EventStream } from "../kernel/event-stream.ts";

/** Where an answer goes that is made whether or not its client stays. */
export interface Detached {
  /** Aborts when the answer is not wanted any more. */
  readonly signal: AbortSignal;
  openStream(): EventStream;
}
