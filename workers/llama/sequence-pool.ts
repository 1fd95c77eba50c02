/** A prompt, and whose cached KV it may use. @template Unit a token, or what else has KV; equal ones are the same value */
export interface SlotPrompt<Unit> {
  readonly tokens: readonly Unit[];
  /** Undefined if it uses only KV without a salt. */
  readonly cacheSalt: string | undefined;
  /** How many of its first tokens it may use whatever the salt. */
  readonly sharedTokens: number;
}

/** One of a context's sequences, with the tokens in its KV cells. */
export interface SequenceSlot<Sequence, Unit> {
  readonly index: number;
  readonly sequence: Sequence;
  /** Tokens in the KV cache, and at the end those about to be added. */
  tokens: Unit[];
  /** Whose they are. */
  cacheSalt: string | undefined;
  busy: boolean;
  /** Increases with every use; the lowest is the least recently used. */
  lastUse: number;
}

interface Waiter<Sequence, Unit> {
  prompt: SlotPrompt<Unit>;
  accept(slot: SequenceSlot<Sequence, Unit>): void;
}

/**
 * A pool of a context's sequences, one per request. A request gets the free sequence with the longest prefix of its
 * prompt; failing that, an empty one, else the least recently used one. If none is free, requests wait in order of
 * arrival.
 */
export class SequencePool<Sequence, Unit> {
  readonly slots: readonly SequenceSlot<Sequence, Unit>[];
  readonly #waiting: Waiter<Sequence, Unit>[] = [];
  readonly #tokensIn: (slot: SequenceSlot<Sequence, Unit>, units: number) => number;
  #uses = 0;

  /** @param tokensIn how many tokens a slot's first units are; default: a unit is a token */
  constructor(
    sequences: readonly Sequence[],
    tokensIn: (slot: SequenceSlot<Sequence, Unit>, units: number) => number = (_, units) => units,
  ) {
    this.#tokensIn = tokensIn;
    this.slots = sequences.map((sequence, index) => ({
      ...{ index, sequence },
      tokens: [],
      cacheSalt: undefined,
      busy: false,
      lastUse: 0,
    }));
  }

  get running(): number {
    return this.slots.filter((slot) => slot.busy).length;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Returns a slot for a prompt; rejects with the signal's reason if that aborts while waiting. */
  acquire(prompt: SlotPrompt<Unit>, signal: AbortSignal): Promise<SequenceSlot<Sequence, Unit>> {
    signal.throwIfAborted();
    const free = this.#choose(prompt);
    if (free !== undefined) return Promise.resolve(this.#lend(free));
    return new Promise((resolve, reject) => {
      const abandon = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(signal.reason);
      };
      const waiter: Waiter<Sequence, Unit> = {
        prompt,
        accept(slot) {
          signal.removeEventListener("abort", abandon);
          resolve(slot);
        },
      };
      signal.addEventListener("abort", abandon, { once: true });
      this.#waiting.push(waiter);
    });
  }

  release(slot: SequenceSlot<Sequence, Unit>): void {
    slot.busy = false;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    next.accept(this.#lend(this.#choose(next.prompt)!));
  }

  #lend(slot: SequenceSlot<Sequence, Unit>): SequenceSlot<Sequence, Unit> {
    slot.busy = true;
    slot.lastUse = ++this.#uses;
    return slot;
  }

  #choose(prompt: SlotPrompt<Unit>): SequenceSlot<Sequence, Unit> | undefined {
    const free = this.slots.filter((slot) => !slot.busy);
    let best: SequenceSlot<Sequence, Unit> | undefined;
    let longest = 0;
    for (const slot of free) {
      const length = this.#tokensIn(slot, reusableLength(slot, prompt));
      if (length > longest) [best, longest] = [slot, length];
    }
    // Using a sequence discards everything beyond the common prefix, which a short one is not worth.
    if (best !== undefined && longest * 2 >= this.#tokensIn(best, best.tokens.length)) return best;
    return free.sort(
      (a, b) => Number(a.tokens.length > 0) - Number(b.tokens.length > 0) || a.lastUse - b.lastUse,
    )[0];
  }
}

/** How many of the slot's first tokens a prompt may use. */
export function reusableLength<Unit>(
  slot: Pick<SequenceSlot<unknown, Unit>, "tokens" | "cacheSalt">,
  { tokens, cacheSalt, sharedTokens }: SlotPrompt<Unit>,
): number {
  const common = commonPrefixLength(slot.tokens, tokens);
  return slot.cacheSalt === cacheSalt ? common : Math.min(common, sharedTokens);
}

/** The length of the longest common prefix. */
function commonPrefixLength(a: readonly unknown[], b: readonly unknown[]): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) if (a[index] !== b[index]) return index;
  return length;
}
