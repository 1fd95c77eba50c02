import type { TransferNotification } from "./transfer.ts";

/** Messages kept while nobody listens; older ones are dropped. */
const MAX_KEPT = 1_000;

type Listener = (notification: TransferNotification) => void;

/** Notifications from all drivers, to all listeners. What comes before the first listener is kept for it. */
export class NotificationInbox {
  readonly #onInterest: (enabled: boolean) => void;
  readonly #listeners = new Set<Listener>();
  readonly #kept: TransferNotification[] = [];
  readonly #closed = new AbortController();

  /** @param onInterest called when the first listener comes and the last one goes */
  constructor(onInterest: (enabled: boolean) => void) {
    this.#onInterest = onInterest;
  }

  add(notification: TransferNotification): void {
    if (this.#listeners.size === 0) {
      this.#kept.push(notification);
      if (this.#kept.length > MAX_KEPT) this.#kept.shift();
    }
    for (const listener of this.#listeners) deliver(listener, notification);
  }

  listen(listener: Listener): () => void {
    // Its own function, so that the same listener can be added twice.
    const own: Listener = (notification) => listener(notification);
    this.#listeners.add(own);
    if (this.#listeners.size === 1) this.#onInterest(true);
    for (const notification of this.#kept.splice(0)) deliver(own, notification);
    return () => {
      if (this.#listeners.delete(own) && this.#listeners.size === 0) this.#onInterest(false);
    };
  }

  /** Listens from now on, not from the first step of the iteration. */
  iterate(signal?: AbortSignal): AsyncIterable<TransferNotification> {
    const ends = signal === undefined ? this.#closed.signal : AbortSignal.any([signal, this.#closed.signal]);
    const queue: TransferNotification[] = [];
    let wake = () => {};
    const stop = this.listen((notification) => {
      queue.push(notification);
      wake();
    });
    const onEnd = () => {
      stop();
      wake();
    };
    ends.addEventListener("abort", onEnd, { once: true });
    if (ends.aborted) onEnd();
    return (async function* () {
      try {
        while (true) {
          while (queue.length > 0) yield queue.shift()!;
          if (ends.aborted) return;
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      } finally {
        ends.removeEventListener("abort", onEnd);
        stop();
      }
    })();
  }

  close(): void {
    this.#closed.abort();
    this.#listeners.clear();
  }
}

/** A listener that throws is the caller's mistake, and none of the driver's, which is calling. */
function deliver(listener: Listener, notification: TransferNotification): void {
  try {
    listener(notification);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
