import { type Logger, messageOf, PlaneError } from "#runtime";
import type { EngineMedium, EngineRequest } from "../../../engine.ts";
import { reusableLength, SequencePool, type SequenceSlot } from "../../sequence-pool.ts";
import type { MediaEncoder } from "../encoding/media-encoder.ts";
import { type MediumPart, unpackParts } from "../medium-parts.ts";
import { type MediaPrompt, type MediumSize, roomOf, sizeOf, type Unit, unitsBefore } from "./media-prompt.ts";
import type { NativeContext } from "./native-context.ts";
import type { Scheduler } from "./scheduler.ts";

interface MediaSequencesOptions {
  readonly native: NativeContext;
  readonly encoder: MediaEncoder;
  /** Longest prompt plus answer, in tokens. */
  readonly contextLength: number;
  readonly sequences: number;
  readonly log: Logger;
}

export type MediaSlot = SequenceSlot<number, Unit>;

/** What of a prompt a sequence holds, and what is to be computed. */
export interface Plan {
  /** How much of the prompt the sequence holds. */
  readonly held: MediumSize;
  readonly parts: readonly MediumPart[];
  /** All tokens of the prompt, with those of its media. */
  readonly tokens: number;
}

/** The sequences of a context, with what they hold of prompts with media. */
export class MediaSequences {
  readonly #options: MediaSequencesOptions;
  readonly #scheduler: Scheduler;
  readonly #pool: SequencePool<number, Unit>;
  /** For each slot, the sizes of the media that it holds. */
  readonly #sizes = new Map<MediaSlot, ReadonlyMap<Unit, MediumSize>>();

  constructor(options: MediaSequencesOptions, scheduler: Scheduler) {
    this.#options = options;
    this.#scheduler = scheduler;
    this.#pool = new SequencePool(
      Array.from({ length: options.sequences }, (_, id) => id),
      (slot, units) => roomOf(slot.tokens.slice(0, units), this.#sizes.get(slot) ?? NO_SIZES).tokens,
    );
  }

  get running(): number {
    return this.#pool.running;
  }

  get waiting(): number {
    return this.#pool.waiting;
  }

  /** A sequence for a prompt, to be released; rejects with the signal's reason if that aborts while waiting. */
  acquire(prompt: MediaPrompt, signal: AbortSignal): Promise<MediaSlot> {
    return this.#pool.acquire(prompt, signal);
  }

  release(slot: MediaSlot): void {
    this.#pool.release(slot);
  }

  /** Notes that a slot holds these units up to a position. */
  settle(slot: MediaSlot, units: readonly Unit[], position: number): void {
    slot.tokens = units.slice(0, unitsBefore(position, units, this.#sizes.get(slot) ?? NO_SIZES));
  }

  /**
   * Truncates the slot to what the prompt may use of it, and encodes the media that it does not hold.
   * @throws PlaneError `invalid_media` or `context_length_exceeded`
   */
  async plan(slot: MediaSlot, prompt: MediaPrompt, signal: AbortSignal): Promise<Plan> {
    const units = prompt.tokens;
    // The last one is always computed: its logits give the answer's first token.
    const reusable = Math.min(reusableLength(slot, prompt), units.length - 1);
    const known = this.#sizes.get(slot) ?? NO_SIZES;
    const count = await this.#truncate(slot, reusable, roomOf(units.slice(0, reusable), known).positions);
    const held = roomOf(units.slice(0, count), known);
    const sizes = new Map<Unit, MediumSize>();
    for (const unit of units.slice(0, count)) if (known.has(unit)) sizes.set(unit, known.get(unit)!);
    slot.cacheSalt = prompt.cacheSalt;
    this.#sizes.set(slot, sizes);
    const parts: MediumPart[] = [];
    let tokens = roomOf(units, sizes).tokens - prompt.media.size + sizes.size;
    let from = count;
    for (const [at, medium] of prompt.media) {
      if (at < count) continue;
      addText(parts, units.slice(from, at));
      const encoded = await this.#encoded(prompt, at, medium, signal);
      sizes.set(units[at]!, sizeOf(encoded));
      parts.push(...encoded);
      from = at + 1;
      // Before others are encoded for nothing.
      tokens += sizeOf(encoded).tokens;
      this.#checkLength(tokens);
    }
    addText(parts, units.slice(from));
    this.#checkLength(tokens);
    return { held, parts, tokens };
  }

  /** @returns how many units the slot still holds: a model may be able to forget only all */
  #truncate(slot: MediaSlot, units: number, position: number): Promise<number> {
    return this.#scheduler.exclusively(() => {
      const kept = this.#options.native.truncate(slot.sequence, position) ? units : 0;
      slot.tokens = slot.tokens.slice(0, kept);
      return kept;
    });
  }

  async #encoded(
    prompt: MediaPrompt,
    at: number,
    medium: EngineMedium,
    signal: AbortSignal,
  ): Promise<MediumPart[]> {
    const { native, encoder, log } = this.#options;
    const read = (features: Uint8Array) => unpackParts(features, native.width, native.vocabularySize);
    if (medium.encoded !== undefined) {
      try {
        return read(medium.encoded);
      } catch (error) {
        // The medium itself is of use.
        log.warn("features of another worker are of no use", { reason: messageOf(error) });
      }
    }
    const id = `${prompt.cacheSalt ?? ""} ${prompt.tokens[at]}`;
    const index = [...prompt.media.keys()].indexOf(at);
    const features = await naming(index, () => encoder.featuresOf(medium, id, signal));
    return read(features);
  }

  #checkLength(tokens: number): void {
    const { contextLength } = this.#options;
    if (tokens < contextLength) return;
    throw new PlaneError(
      "context_length_exceeded",
      `The prompt has at least ${tokens} tokens with its media, and this model has a context of ${contextLength}. Shorten it, or send fewer or smaller media.`,
    );
  }

  /** How many tokens the media of a prompt become. @throws PlaneError `invalid_media` if one cannot be decoded */
  async measure({ media = [] }: EngineRequest, signal: AbortSignal): Promise<number> {
    let tokens = 0;
    for (const [index, medium] of media.entries())
      tokens += await naming(index, () => this.#options.encoder.measure(medium, signal));
    return tokens;
  }
}

const NO_SIZES: ReadonlyMap<Unit, MediumSize> = new Map();

function addText(parts: MediumPart[], units: readonly Unit[]): void {
  const tokens = Int32Array.from(units.filter((unit) => typeof unit === "number"));
  if (tokens.length > 0) parts.push({ kind: "text", tokens });
}

/** Says in a refusal which of the media it is about. */
async function naming<Result>(medium: number, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof PlaneError)) throw error;
    throw new PlaneError(error.code, error.message, { medium });
  }
}
