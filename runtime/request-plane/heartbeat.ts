/** Default interval between pings, in milliseconds. A silent peer is detected after two and a half. */
export const defaultPingMs = 2_000;

const longestPingMs = 60_000;
/** Silent checks, two per ping, after which a peer is considered gone. */
const silentChecks = 5;

/**
 * Pings a peer, and detects when it falls silent. It counts checks instead of measuring time: after this
 * process itself has been stopped, one check is due, and the peer's bytes are read before the next one.
 */
export class Heartbeat {
  readonly #pingMs: number;
  readonly #ping: () => void;
  readonly #onSilence: (ms: number) => void;
  #timer: ReturnType<typeof setInterval> | undefined;
  #checks = 0;
  #silent = 0;

  /** @param onSilence called at most once, with the approximate silence in milliseconds */
  constructor(pingMs: number, ping: () => void, onSilence: (ms: number) => void) {
    this.#pingMs = pingMs;
    this.#ping = ping;
    this.#onSilence = onSilence;
  }

  /**
   * Starts if the peer pings too, at the longer of both intervals.
   * @param peerPingMs 0 if the peer sends no pings
   */
  start(peerPingMs: number): void {
    if (peerPingMs === 0) return;
    const checkMs = Math.min(Math.max(this.#pingMs, peerPingMs), longestPingMs) / 2;
    this.#timer = setInterval(() => this.#check(checkMs), checkMs);
    this.#timer.unref();
  }

  /** Bytes have arrived. */
  onReceived(): void {
    this.#silent = 0;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #check(checkMs: number): void {
    if (++this.#silent > silentChecks) {
      this.stop();
      this.#onSilence(silentChecks * checkMs);
    } else if (++this.#checks % 2 === 0) this.#ping();
  }
}
