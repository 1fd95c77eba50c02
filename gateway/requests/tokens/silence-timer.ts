/**
 * Notices when nothing comes any more. A piece costs a note of the time: the timer itself is set anew only when it has
 * run out.
 */
export class SilenceTimer {
  readonly #firstMs: number;
  readonly #idleMs: number;
  readonly #onSilence: (ms: number) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When something came last, or was asked for. */
  #since = 0;
  #hasPiece = false;
  /** Whether nothing is expected, as nobody takes it. */
  #isPaused = false;

  /**
   * @param firstMs longest time until the first piece
   * @param idleMs longest time between two
   * @param onSilence is told how long, in milliseconds
   */
  constructor(firstMs: number, idleMs: number, onSilence: (ms: number) => void) {
    this.#firstMs = firstMs;
    this.#idleMs = idleMs;
    this.#onSilence = onSilence;
  }

  start(): void {
    this.stop();
    this.#since = performance.now();
    this.#hasPiece = false;
    this.#isPaused = false;
    this.#arm(Math.min(this.#firstMs, this.#idleMs));
  }

  onPiece(): void {
    this.#since = performance.now();
    this.#hasPiece = true;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#since = performance.now();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #arm(ms: number): void {
    this.#timer = setTimeout(() => this.#look(), ms);
  }

  #look(): void {
    const limitMs = this.#hasPiece ? this.#idleMs : this.#firstMs;
    const leftMs = this.#isPaused ? limitMs : this.#since + limitMs - performance.now();
    if (leftMs > 0) this.#arm(Math.max(1, leftMs));
    else this.#onSilence(limitMs);
  }
}
