/** Share of an observation in the mean. */
const NEW_SHARE = 0.1;
/**
 * Cost of moving a token's KV blocks before any transfer has been seen, in tokens of prefill: an 8B model has 128 KiB a
 * token, which 400 Gb/s move in 2.6 µs, and an H100 computes in about 50.
 */
const FIRST_GUESS = 0.05;

/** What moving KV blocks costs, in tokens of prefill, from the transfers and prefills seen lately. */
export class TransferCost {
  #transferUs: number | undefined;
  #prefillUs: number | undefined;

  /** The cost of a token. */
  get perToken(): number {
    if (this.#transferUs === undefined || this.#prefillUs === undefined) return FIRST_GUESS;
    return this.#transferUs / this.#prefillUs;
  }

  /** A transfer of the blocks of this many tokens is complete. */
  transferred(tokens: number, microseconds: number): void {
    if (tokens > 0) this.#transferUs = mean(this.#transferUs, microseconds / tokens);
  }

  /** A prefill worker has computed this many tokens. */
  prefilled(tokens: number, microseconds: number): void {
    if (tokens > 0 && microseconds > 0) this.#prefillUs = mean(this.#prefillUs, microseconds / tokens);
  }
}

const mean = (before: number | undefined, seen: number): number =>
  before === undefined ? seen : before + (seen - before) * NEW_SHARE;
