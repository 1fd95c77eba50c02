import { TransferError } from "../errors.ts";

/** How many steps of all transfers on a link are on their way, each in a lane of its own; first come, first served. */
export class Lanes {
  readonly #free: number[];
  readonly #waiting: ((lane: number) => void)[] = [];

  constructor(count: number) {
    this.#free = Array.from({ length: count }, (_, index) => count - 1 - index);
  }

  /** @throws TransferError `aborted` if the signal is aborted meanwhile */
  async take(signal: AbortSignal): Promise<number> {
    const lane = this.#free.pop();
    if (lane !== undefined) return lane;
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiting.splice(this.#waiting.indexOf(onLane), 1);
        reject(new TransferError("aborted", "The transfer was aborted."));
      };
      const onLane = (given: number) => {
        signal.removeEventListener("abort", onAbort);
        resolve(given);
      };
      this.#waiting.push(onLane);
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  giveBack(lane: number): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(lane);
    else next(lane);
  }
}
