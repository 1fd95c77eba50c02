const BEAT_MS = 250;
/** What a beat may come late by without a word, on a busy machine. */
const USUAL_MS = 250;

/**
 * When this process did not run: a long computation, Ctrl-Z, a machine that stood still. What others sent meanwhile
 * lies unread, so that time is not theirs.
 */
export class Stalls {
  readonly #windowMs: number;
  readonly #timer: NodeJS.Timeout;
  #lastBeat = performance.now();
  #stalls: { readonly until: number; readonly ms: number }[] = [];

  /** @param windowMs for which a stall counts after its end */
  constructor(windowMs: number) {
    this.#windowMs = windowMs;
    this.#timer = setInterval(() => this.#beat(), BEAT_MS).unref();
  }

  /** Milliseconds that it has not run of late. */
  get ms(): number {
    this.#beat();
    return this.#stalls.reduce((sum, { ms }) => sum + ms, 0);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #beat(): void {
    const now = performance.now();
    const ms = now - this.#lastBeat;
    this.#lastBeat = now;
    if (ms > BEAT_MS + USUAL_MS) this.#stalls.push({ until: now, ms });
    if (this.#stalls.length > 0)
      this.#stalls = this.#stalls.filter(({ until }) => until > now - this.#windowMs);
  }
}
