import { type Logger, type MediumToEncode, PlaneError, type PromptMedium } from "#runtime";
import { Admission } from "../../admission.ts";
import type { Delta, Encoded, EngineRequest } from "../../engine.ts";
import type { MediaProcess } from "./media-process.ts";
import type { AnsweredToken, MediaEnd, MediaQuestion } from "./messages.ts";
import { TokenQueue } from "./token-queue.ts";

/** What llama.cpp decodes, by its media types. */
const DECODED = new Set([
  "image/png",
  "image/jpeg",
  "image/gif",
  "image/bmp",
  "audio/wav",
  "audio/mpeg",
  "audio/flac",
]);

/** Answers the prompts with media of a llama worker, and encodes media, one after another. */
export class MediaAnswers {
  readonly #process: MediaProcess;
  readonly #log: Logger;
  readonly #admission = new Admission(1);

  constructor(process: MediaProcess, log: Logger) {
    this.#process = process;
    this.#log = log;
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

  async *generate(request: EngineRequest, signal: AbortSignal): AsyncGenerator<Delta> {
    refuseUnsupported(request);
    const leave = await this.#admission.enter(signal);
    if (leave === undefined) return;
    const left = new AbortController();
    const answer = new TokenQueue();
    const begun = Promise.withResolvers<number>();
    const { length } = request.tokens;
    let end: Promise<MediaEnd> | undefined;
    try {
      const handler = {
        onBegun: begun.resolve,
        onToken: (token: AnsweredToken) => answer.push(token),
      };
      end = this.#process
        .ask(questionOf(request), handler, AbortSignal.any([signal, left.signal]))
        .finally(() => {
          answer.end();
          begun.resolve(length);
        });
      // If nobody reads on, nobody awaits it.
      end.catch(() => {});
      yield { tokenIds: [], cachedTokens: 0, mediaTokens: Math.max(0, (await begun.promise) - length) };
      for await (const tokens of answer) if (!signal.aborted) yield deltaOf(tokens);
      yield* this.#last(await end, signal);
    } finally {
      // The process answers one at a time.
      left.abort();
      await end?.catch(() => {});
      leave();
    }
  }

  /** Throws if llama.cpp fails. */
  async encode(media: readonly MediumToEncode[], signal: AbortSignal): Promise<readonly Encoded[]> {
    const encoded: Encoded[] = [];
    for (const medium of media) encoded.push(await this.#encode(medium, signal));
    return encoded;
  }

  async #encode({ kind, type, data }: MediumToEncode, signal: AbortSignal): Promise<Encoded> {
    const obstacle = undecodable(kind, type);
    if (obstacle !== undefined) return { kind: "refused", message: obstacle };
    const leave = await this.#admission.enter(signal);
    if (leave === undefined) throw signal.reason;
    try {
      const end = await this.#process.encode(data);
      if (end.kind === "failed") throw new Error(`llama.cpp failed with a medium: ${end.message}`);
      if (end.kind === "refused") return end;
      return { kind: "features", features: end.features, tokens: end.tokens };
    } finally {
      leave();
    }
  }

  *#last(end: MediaEnd, signal: AbortSignal): Generator<Delta> {
    if (end.kind === "refused") throw new PlaneError("invalid_request", end.message);
    if (end.kind === "failed") {
      this.#log.warn("llama.cpp failed with a prompt with media; it is started again", {
        reason: end.message,
      });
      throw new PlaneError("internal", "The engine failed.");
    }
    if (signal.aborted) return;
    const { finish, stopToken } = end;
    yield { tokenIds: [], finish, ...(stopToken !== undefined && { stopToken }) };
  }
}

/** @throws PlaneError `invalid_request` for what prompts with media cannot have */
function refuseUnsupported(request: EngineRequest): void {
  const { media = [], echoLogprobs, loraName, grammar } = request;
  const refuse = (sentence: string): never => {
    throw new PlaneError("invalid_request", sentence);
  };
  for (const { kind, type } of media) {
    const obstacle = undecodable(kind, type);
    if (obstacle !== undefined) refuse(obstacle);
  }
  if (echoLogprobs)
    refuse("This model's worker has no log probabilities of the prompt's tokens if it has media.");
  if (loraName !== undefined)
    refuse("This model's worker computes prompts with media without LoRA adapters.");
  if (grammar !== undefined && (grammar.after.length > 0 || (request.answered ?? 0) > 0))
    refuse("This model's worker keeps answers to prompts with media to a grammar only from their beginning.");
}

/** Why media of a type cannot be decoded, as a sentence; undefined if they can. */
const undecodable = (kind: PromptMedium["kind"], type: string) =>
  DECODED.has(type) ? undefined : `This model's worker cannot decode ${type}. ${ADVICE[kind] ?? ""}`.trim();

const ADVICE: Partial<Record<PromptMedium["kind"], string>> = {
  image: "Send PNG, JPEG, GIF or BMP.",
  audio: "Send WAV, MP3 or FLAC.",
};

function questionOf(request: EngineRequest): MediaQuestion {
  const { tokens, media = [], maxTokens, sampling, grammar, ignoreEos, stopTokenIds, logprobs } = request;
  const { frequencyPenalty, presencePenalty, repetitionPenalty, seed } = sampling;
  return {
    kind: "ask",
    media: media.map(({ position, data, encoded }) => ({ position, data, features: encoded })),
    ...{ tokens, maxTokens, ignoreEos, stopTokenIds, logprobs },
    sampling: {
      temperature: sampling.temperature,
      topK: sampling.topK,
      topP: sampling.topP,
      minP: sampling.minP,
      ...{ frequencyPenalty, presencePenalty, repetitionPenalty },
      seed:
        seed === undefined
          ? crypto.getRandomValues(new Uint32Array(1))[0]!
          : Number(BigInt.asUintN(32, BigInt(seed))),
      logitBias: sampling.logitBias,
      grammar: grammar?.gbnf,
    },
  };
}

function deltaOf(tokens: readonly AnsweredToken[]): Delta {
  const tokenIds = tokens.map(({ id }) => id);
  const logprobs = tokens.flatMap(({ logprob, top }) =>
    logprob === undefined || top === undefined ? [] : [{ logprob, top }],
  );
  return { tokenIds, ...(logprobs.length > 0 && { logprobs }) };
}
