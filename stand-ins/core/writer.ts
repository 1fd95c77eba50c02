import { END_OF_TURN } from "./tokens.ts";

/**
 * The stand-ins' model: all previous tokens determine the next one, so any stand-in continues a partial answer exactly
 * as it would have continued.
 */
export class Writer {
  #state = 0x811c9dc5;

  constructor(tokens: Iterable<number>) {
    for (const token of tokens) this.read(token);
  }

  read(token: number): void {
    this.#state = Math.imul(this.#state ^ token, 0x01000193);
  }

  /** A letter or a space; sometimes the end of the turn, if allowed. */
  next(mayEnd: boolean): number {
    const draw = mix(this.#state);
    if (mayEnd && draw % 256 === 0) return END_OF_TURN;
    const symbol = (draw >>> 8) % 32;
    return symbol < 26 ? 97 + symbol : 32;
  }
}

/** Every bit of the result depends on every bit of the state. */
function mix(state: number): number {
  let bits = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
