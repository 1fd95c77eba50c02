import { type MediumToEncode, PlaneError, type PromptMedium } from "#runtime";
import { Admission } from "../../../admission.ts";
import type { Encoded } from "../../../engine.ts";
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
  readonly #process: MediaProcess;
  readonly #admission = new Admission(1);
  readonly #features = new FeatureCache(KEPT_BYTES);

  constructor(process: MediaProcess) {
    this.#process = process;
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

  /** Encodes for other workers. @throws Error if llama.cpp fails, or the signal's reason */
  async encode(media: readonly MediumToEncode[], signal: AbortSignal): Promise<readonly Encoded[]> {
    const encoded: Encoded[] = [];
    for (const medium of media) encoded.push(await this.#encode(medium, signal));
    return encoded;
  }

  /**
   * @param id equal only for equal media that may know of each other
   * @returns features by `packParts`, of a medium that was encoded now or lately
   * @throws PlaneError `invalid_request` if it cannot be decoded
   * @throws Error if llama.cpp fails, or the signal's reason
   */
  featuresOf(medium: PromptMedium, id: string, signal: AbortSignal): Promise<Uint8Array> {
    return this.#features.of(
      id,
      async (cancelled) => {
        const end = await this.#inTurn(cancelled, () => this.#process.encode(medium.data));
        if (isFailure(end)) throw errorOf(end);
        return end.features;
      },
      signal,
    );
  }

  /** @returns how many tokens a medium is in a prompt. It throws like `featuresOf`. */
  async measure(medium: PromptMedium, signal: AbortSignal): Promise<number> {
    const end = await this.#inTurn(signal, () => this.#process.measure(medium.data));
    if (isFailure(end)) throw errorOf(end);
    return end.tokens;
  }

  async #encode({ kind, type, data }: MediumToEncode, signal: AbortSignal): Promise<Encoded> {
    const obstacle = undecodable(kind, type);
    if (obstacle !== undefined) return { kind: "refused", message: obstacle };
    const end = await this.#inTurn(signal, () => this.#process.encode(data));
    if (end.kind === "refused") return end;
    if (end.kind === "failed") throw errorOf(end);
    return { kind: "features", features: end.features, tokens: end.tokens };
  }

  async #inTurn<End>(signal: AbortSignal, work: () => Promise<End>): Promise<End> {
    const leave = await this.#admission.enter(signal);
    if (leave === undefined) throw signal.reason;
    try {
      return await work();
    } finally {
      leave();
    }
  }
}

/** Why media of a type cannot be decoded, as a sentence; undefined if they can. */
export const undecodable = (kind: PromptMedium["kind"], type: string): string | undefined =>
  DECODED.has(type) ? undefined : `This model's worker cannot decode ${type}. ${ADVICE[kind] ?? ""}`.trim();

const ADVICE: Partial<Record<PromptMedium["kind"], string>> = {
  image: "Send PNG, JPEG, GIF or BMP.",
  audio: "Send WAV, MP3 or FLAC.",
};

type Failure = Extract<EncodeEnd, { kind: "refused" | "failed" }>;

const isFailure = (end: EncodeEnd | MeasureEnd): end is Failure =>
  end.kind === "refused" || end.kind === "failed";

const errorOf = ({ kind, message }: Failure) =>
  kind === "refused"
    ? new PlaneError("invalid_request", message)
    : new Error(`llama.cpp failed with a medium: ${message}`);
