/**
 * Detects when an answer stalls. A piece only updates a timestamp: the timer itself is rearmed only when it fires.
 */
export class SilenceTimer {
  readonly #firstMs: number;
  readonly #idleMs: number;
  readonly #onSilence: (ms: number) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the last piece arrived, or the wait for the first one began. */
  #since = 0;
  #hasPiece = false;
  /** Whether the client has paused the answer, so that silence is expected. */
  #isPaused = false;

  /**
   * @param firstMs time until the first piece
   * @param idleMs time between two pieces
   * @param onSilence called with the exceeded limit in milliseconds
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
    this.#timer = setTimeout(() => this.#check(), ms);
  }

  #check(): void {
    const limitMs = this.#hasPiece ? this.#idleMs : this.#firstMs;
    const leftMs = this.#isPaused ? limitMs : this.#since + limitMs - performance.now();
    if (leftMs > 0) this.#arm(Math.max(1, leftMs));
    else this.#onSilence(limitMs);
  }
}
