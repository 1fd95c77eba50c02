import type { EncoderTable, SharedWork } from "../../routing/encode/encoder-table.ts";
import type { RoutedWorker } from "../../routing/workers.ts";
import { answerWithin, EncodeError, type EncodeFailureContext, reportEncodeFailure } from "./encode-error.ts";

/** A medium that an encode worker can encode. */
export interface SharedMedium {
  /** What the encoders know it by. */
  readonly id: string;
  /** Its length in a prompt, for the encoders' loads. */
  readonly tokens: number;
}

export interface SharedEncodingOptions<Worker, Medium, Result> extends EncodeFailureContext {
  readonly table: EncoderTable<Result>;
  /** How long a request waits for encoders. */
  readonly encodeMs: number;
  /** Whether what was encoded earlier can be used without asking the encoder again. */
  readonly trustsKnown: boolean;
  /** Sends an encoder its share of a request's media. @param index of the share */
  call(encoder: Worker, share: readonly Medium[], index: number): SharedWork<ReadonlyMap<string, Result>>;
}

/** What encoders made of a request's media. */
export interface EncodedShares<Result> {
  /** By the media's ids; without those that were not encoded. */
  readonly encoded: ReadonlyMap<string, Result>;
  /** The ids of those that were encoded just now. */
  readonly fresh: ReadonlySet<string>;
  /** The names of the encoders that did it for this request. */
  readonly encoders: readonly string[];
}

/** Has a request's media encoded, each once however many requests have it. */
export class SharedEncoding<
  Worker extends Pick<RoutedWorker, "instance">,
  Medium extends SharedMedium,
  Result,
> {
  readonly #options: SharedEncodingOptions<Worker, Medium, Result>;
  /** What the current attempt waits for. */
  #joined: SharedWork<Result>[] = [];
  #turn = 0;

  constructor(options: SharedEncodingOptions<Worker, Medium, Result>) {
    this.#options = options;
  }

  /**
   * @param ready encoders; not empty
   * @returns undefined if the attempt has ended meanwhile
   */
  async encode(
    wanted: readonly Medium[],
    ready: readonly Worker[],
  ): Promise<EncodedShares<Result> | undefined> {
    const turn = ++this.#turn;
    const { table, metrics, trustsKnown } = this.#options;
    const encoded = new Map<string, Result>();
    const fresh = new Set<string>();
    const unknown = new Map<string, Medium>();
    const waiting = new Map<string, SharedWork<Result>>();
    const now = performance.now();
    for (const medium of wanted) {
      const { id } = medium;
      const known = trustsKnown ? table.known(id, now) : undefined;
      const pending = table.pending(id);
      if (known !== undefined) encoded.set(id, known);
      else if (pending !== undefined) waiting.set(id, pending);
      else unknown.set(id, medium);
    }
    metrics.count("shared", "", encoded.size + waiting.size);
    const encoders = this.#ask([...unknown.values()], ready);
    for (const id of unknown.keys()) {
      const work = table.pending(id);
      if (work !== undefined) waiting.set(id, work);
    }
    this.#joined = [...waiting.values()];
    for (const work of this.#joined) work.join();
    const all = Array.from(waiting, async ([id, work]) => {
      try {
        encoded.set(id, await answerWithin(this.#options.encodeMs, work.result));
        fresh.add(id);
        if (unknown.has(id)) metrics.count("remote", "", 1);
      } catch (error) {
        if (turn === this.#turn) reportEncodeFailure(this.#options, error, 1);
      }
    });
    await Promise.all(all);
    if (turn !== this.#turn) return undefined;
    this.end();
    return { encoded, fresh, encoders };
  }

  /** The attempt has ended: nobody waits for the encoders any more. */
  end(): void {
    this.#turn++;
    for (const work of this.#joined.splice(0)) work.leave();
  }

  /** Sends each encoder its share of the media. @returns the encoders */
  #ask(media: readonly Medium[], ready: readonly Worker[]): readonly string[] {
    const { table } = this.#options;
    const shares = new Map<string, Medium[]>();
    const names = ready.map(({ instance }) => instance.name);
    for (const medium of media) {
      const name = table.choose(medium.id, names);
      shares.set(name, [...(shares.get(name) ?? []), medium]);
    }
    for (const [index, [name, share]] of [...shares].entries()) {
      const encoder = ready.find(({ instance }) => instance.name === name)!;
      const call = this.#options.call(encoder, share, index);
      for (const { id, tokens } of share) {
        const result = call.result.then((answers) => resultFor(id, answers));
        result.catch(() => {});
        table.begin(id, name, tokens, { result, join: () => call.join(), leave: () => call.leave() });
      }
    }
    return [...shares.keys()];
  }
}

function resultFor<Result>(id: string, answers: ReadonlyMap<string, Result>): Result {
  const result = answers.get(id);
  if (result === undefined) throw new EncodeError("encoder_unusable", "Its answer lacks a medium.");
  return result;
}
