import { hashText, rendezvousScore } from "../rendezvous.ts";

/** How many encoded media are remembered, and for how long, in milliseconds. */
const MOST_KNOWN = 20_000;
const KNOWN_MS = 10 * 60_000;

/** What an encoder has made of a medium. */
interface Known<Result> {
  readonly result: Result;
  readonly encoder: string;
  readonly until: number;
}

/** Work that several requests may wait for. */
export interface SharedWork<Result> {
  readonly result: Promise<Result>;
  /** A request needs it. */
  join(): void;
  /** A request no longer needs it; it is cancelled once none does. */
  leave(): void;
}

/**
 * What is known of a model's encode workers: which media they have encoded, are encoding, and how much each has to do.
 * So each medium is encoded once, however many requests have it.
 */
export class EncoderTable<Result> {
  /** Oldest first. */
  readonly #known = new Map<string, Known<Result>>();
  readonly #pending = new Map<string, SharedWork<Result>>();
  /** Tokens that are being encoded, by encoder. */
  readonly #load = new Map<string, number>();

  /** What was made of a medium before, and its encoder still holds. */
  known(id: string, now: number): Result | undefined {
    const known = this.#known.get(id);
    if (known === undefined || known.until > now) return known?.result;
    this.#known.delete(id);
    return undefined;
  }

  /** The encoder that has encoded a medium. */
  holderOf(id: string): string | undefined {
    return this.#known.get(id)?.encoder;
  }

  pending(id: string): SharedWork<Result> | undefined {
    return this.#pending.get(id);
  }

  /**
   * The encoder for a medium: the one that has encoded it before; else the one with the least to do, and among equals always
   * the same one for a medium, whose caches may still have it.
   * @param encoders names; not empty
   */
  choose(id: string, encoders: readonly string[]): string {
    const holder = this.holderOf(id);
    if (holder !== undefined && encoders.includes(holder)) return holder;
    const least = Math.min(...encoders.map((name) => this.loadOf(name)));
    const free = encoders.filter((name) => this.loadOf(name) === least);
    const score = (name: string) => rendezvousScore(hashText(id), hashText(name));
    return free.reduce((best, name) => (score(name) > score(best) ? name : best));
  }

  loadOf(encoder: string): number {
    return this.#load.get(encoder) ?? 0;
  }

  /** Books the work; it ends with the result. */
  begin(id: string, encoder: string, tokens: number, work: SharedWork<Result>): void {
    this.#pending.set(id, work);
    this.book(encoder, tokens, work.result);
    const end = () => {
      if (this.#pending.get(id) === work) this.#pending.delete(id);
    };
    work.result.then((result) => {
      end();
      this.#keep(id, { result, encoder, until: performance.now() + KNOWN_MS });
    }, end);
  }

  /** Books work that serves one request, and so is not remembered; it ends with the result. */
  book(encoder: string, tokens: number, result: Promise<unknown>): void {
    this.#load.set(encoder, this.loadOf(encoder) + tokens);
    const end = () => {
      const left = this.loadOf(encoder) - tokens;
      if (left > 0) this.#load.set(encoder, left);
      else this.#load.delete(encoder);
    };
    result.then(end, end);
  }

  /** An engine could not use what encoders had made of these media: they are encoded anew. */
  forget(ids: Iterable<string>): void {
    for (const id of ids) this.#known.delete(id);
  }

  /** An encoder has left, and with it perhaps what it held. */
  forgetEncoder(encoder: string): void {
    for (const [id, known] of this.#known) if (known.encoder === encoder) this.#known.delete(id);
  }

  #keep(id: string, known: Known<Result>): void {
    this.#known.delete(id);
    this.#known.set(id, known);
    if (this.#known.size > MOST_KNOWN) this.#known.delete(this.#known.keys().next().value ?? "");
  }
}
