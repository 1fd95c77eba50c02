import { type MediumToEncode, PlaneError, type PromptMedium } from "#runtime";
import { Admission } from "../../../admission.ts";
import type { Encoded } from "../../../engine.ts";
import type { ThreadConsumer } from "../../thread-shares.ts";
import { FeatureCache } from "./feature-cache.ts";
import type { EncodeEnd, MeasureEnd, MediaProcess } from "./media-process.ts";

/** What mtmd decodes, by its media types. */
const DECODED = new Set([
  "image/png",
  "image/jpeg",
  "image/gif",
  "image/bmp",
  "audio/wav",
  "audio/mpeg",
  "audio/flac",
]);

/** How many bytes of features a worker keeps for its own prompts. */
const KEPT_BYTES = 64 * 2 ** 20;

/** Encodes media with a projector, one after another. */
export class MediaEncoder {
  readonly #process: Pick<MediaProcess, "encode" | "measure" | "close">;
  readonly #most: number;
  readonly #admission = new Admission(1);
  readonly #features = new FeatureCache(KEPT_BYTES);
  readonly #threads: (() => ThreadConsumer) | undefined;

  /**
   * @param contextLength larger media are not encoded
   * @param threads those that others do not get while it encodes
   */
  constructor(
    process: Pick<MediaProcess, "encode" | "measure" | "close">,
    contextLength: number,
    threads?: () => ThreadConsumer,
  ) {
    this.#process = process;
    this.#most = contextLength;
    this.#threads = threads;
  }

  get running(): number {
    return this.#admission.running;
  }

  get waiting(): number {
    return this.#admission.waiting;
  }

  close(): Promise<void> {
    return this.#process.close();
  }

  /** Encodes for other workers. @throws Error if llama.cpp cannot be started, or the signal's reason */
  async encode(media: readonly MediumToEncode[], signal: AbortSignal): Promise<readonly Encoded[]> {
    const encoded: Encoded[] = [];
    for (const medium of media) encoded.push(await this.#encode(medium, signal));
    return encoded;
  }

  /**
   * @param id equal only for equal media that may know of each other
   * @returns features by `packParts`, of a medium that was encoded now or lately
   * @throws PlaneError `invalid_media` if it cannot be decoded, `context_length_exceeded` if it is too large
   * @throws Error if llama.cpp cannot be started, or the signal's reason
   */
  featuresOf(medium: PromptMedium, id: string, signal: AbortSignal): Promise<Uint8Array> {
    return this.#features.of(
      id,
      async (cancelled) => {
        const end = await this.#done(cancelled, () => this.#process.encode(medium.data, this.#most));
        if (end.kind === "refused") throw new PlaneError("invalid_media", end.message);
        if (end.kind === "measured")
          throw new PlaneError("context_length_exceeded", tooLarge(end.tokens, this.#most));
        return end.features;
      },
      signal,
    );
  }

  /** @returns how many tokens a medium is in a prompt. It throws like `featuresOf`. */
  async measure(medium: PromptMedium, signal: AbortSignal): Promise<number> {
    const end = await this.#done(signal, () => this.#process.measure(medium.data));
    if (end.kind === "refused") throw new PlaneError("invalid_media", end.message);
    return end.tokens;
  }

  async #encode({ kind, type, data }: MediumToEncode, signal: AbortSignal): Promise<Encoded> {
    const obstacle = undecodable(kind, type);
    if (obstacle !== undefined) return { kind: "refused", message: obstacle };
    const end = await this.#done(signal, () => this.#process.encode(data, this.#most));
    if (end.kind === "refused") return end;
    if (end.kind === "measured") return { kind: "refused", message: tooLarge(end.tokens, this.#most) };
    return { kind: "features", features: end.features, tokens: end.tokens };
  }

  /** Waits for its turn. What ends llama.cpp twice is refused: the first time, the medium need not be to blame. */
  async #done(signal: AbortSignal, work: () => Promise<EncodeEnd | MeasureEnd>): Promise<DoneEnd> {
    const leave = await this.#admission.enter(signal);
    if (leave === undefined) throw signal.reason;
    const threads = this.#threads?.();
    const share = await threads?.take();
    try {
      for (let attempt = 1; attempt <= 2; attempt++) {
        const end = await work();
        if (end.kind !== "failed") return end;
        signal.throwIfAborted();
      }
      return { kind: "refused", message: "llama.cpp fails with this file. Send another one." };
    } finally {
      share?.free();
      threads?.leave();
      leave();
    }
  }
}

type DoneEnd = Exclude<EncodeEnd | MeasureEnd, { kind: "failed" }>;

const tooLarge = (tokens: number, most: number) =>
  `A medium is ${tokens} tokens, and this model has a context of ${most}. Send a smaller one.`;

/** Why media of a type cannot be decoded, as a sentence; undefined if they can. */
export const undecodable = (kind: PromptMedium["kind"], type: string): string | undefined =>
  DECODED.has(type) ? undefined : `This model's worker cannot decode ${type}. ${ADVICE[kind] ?? ""}`.trim();

const ADVICE: Partial<Record<PromptMedium["kind"], string>> = {
  image: "Send PNG, JPEG, GIF or BMP.",
  audio: "Send WAV, MP3 or FLAC.",
};
