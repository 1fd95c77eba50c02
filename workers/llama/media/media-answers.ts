import { type GenerateRequest, type Logger, PlaneError, type PromptMedium } from "#runtime";
import { Admission } from "../../admission.ts";
import type { Delta } from "../../engine.ts";
import type { CompletionOptions } from "./binding.ts";
import type { MediaProcess } from "./media-process.ts";
import type { MediaEnd } from "./messages.ts";
import { promptText, type TextRules } from "./prompt-text.ts";
import { TextTokens } from "./text-tokens.ts";
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

/** Answers the prompts with media of a llama worker, one after another. */
export class MediaAnswers {
  readonly #process: MediaProcess;
  readonly #rules: TextRules;
  readonly #tokens: TextTokens;
  readonly #eosTokenIds: readonly number[];
  readonly #log: Logger;
  readonly #admission = new Admission(1);

  constructor(process: MediaProcess, rules: TextRules, eosTokenIds: readonly number[], log: Logger) {
    this.#process = process;
    this.#rules = rules;
    this.#tokens = new TextTokens(rules.vocabulary);
    this.#eosTokenIds = eosTokenIds;
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

  async *generate(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<Delta> {
    const { tokens, media = [], maxTokens } = request;
    refuseUnsupported(request);
    const prompt = promptText(tokens, media, this.#rules);
    const leave = await this.#admission.enter(signal);
    if (leave === undefined) return;
    const left = new AbortController();
    const answer = new TokenQueue();
    const begun = Promise.withResolvers<number>();
    const handler = {
      onBegun: begun.resolve,
      onText: (text: string) => answer.push(this.#tokens.of(text)),
    };
    let end: Promise<MediaEnd> | undefined;
    try {
      const question = {
        kind: "ask" as const,
        ...{ prompt, maxTokens },
        media: media.map(dataUrl),
        options: optionsOf(request),
      };
      end = this.#process.ask(question, handler, AbortSignal.any([signal, left.signal])).finally(() => {
        answer.end();
        begun.resolve(tokens.length);
      });
      // If nobody reads on, nobody awaits it.
      end.catch(() => {});
      yield {
        tokenIds: [],
        cachedTokens: 0,
        mediaTokens: Math.max(0, (await begun.promise) - tokens.length),
      };
      for await (const tokenIds of answer) if (!signal.aborted) yield { tokenIds };
      yield* this.#last(await end, signal);
    } finally {
      // The process answers one at a time.
      left.abort();
      await end?.catch(() => {});
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
    const [stopToken] = this.#eosTokenIds;
    const isStop = end.finish === "stop" && stopToken !== undefined;
    yield { tokenIds: [], finish: end.finish, ...(isStop && { stopToken }) };
  }
}

/** @throws PlaneError `invalid_request` for what the binding cannot do */
function refuseUnsupported(request: GenerateRequest): void {
  const { media = [], logprobs, echoLogprobs, loraName, grammar, sampling, stopTokenIds } = request;
  const refuse = (sentence: string): never => {
    throw new PlaneError("invalid_request", sentence);
  };
  for (const { kind, type } of media)
    if (!DECODED.has(type)) refuse(`This model's worker cannot decode ${type}. ${ADVICE[kind] ?? ""}`);
  if (logprobs !== undefined || echoLogprobs)
    refuse("This model's worker has no log probabilities for prompts with media.");
  if (loraName !== undefined)
    refuse("This model's worker computes prompts with media without LoRA adapters.");
  if (sampling.logitBias.length > 0)
    refuse("This model's worker cannot bias tokens of prompts with media: leave out 'logit_bias'.");
  if (stopTokenIds.length > 0) refuse("This model's worker stops prompts with media at no further tokens.");
  if (grammar !== undefined && (grammar.after.length > 0 || (request.answered ?? 0) > 0))
    refuse("This model's worker keeps answers to prompts with media to a grammar only from their beginning.");
}

const ADVICE: Partial<Record<PromptMedium["kind"], string>> = {
  image: "Send PNG, JPEG, GIF or BMP.",
  audio: "Send WAV, MP3 or FLAC.",
};

const dataUrl = ({ kind, type, data }: PromptMedium) =>
  // The binding goes by what is in front of the slash.
  `data:${kind}/${type.slice(type.indexOf("/") + 1)};base64,${Buffer.from(data).toString("base64")}`;

function optionsOf({ sampling, grammar, ignoreEos }: GenerateRequest): CompletionOptions {
  const { frequencyPenalty, presencePenalty, repetitionPenalty, seed } = sampling;
  return {
    temperature: sampling.temperature,
    top_k: sampling.topK,
    top_p: sampling.topP,
    min_p: sampling.minP,
    // All tokens of the context.
    penalty_last_n: -1,
    penalty_repeat: repetitionPenalty,
    penalty_freq: frequencyPenalty,
    penalty_present: presencePenalty,
    xtc_probability: 0,
    dry_multiplier: 0,
    seed:
      seed === undefined
        ? crypto.getRandomValues(new Int32Array(1))[0]!
        : Number(BigInt.asIntN(32, BigInt(seed))),
    ignore_eos: ignoreEos,
    ...(grammar !== undefined && { grammar: grammar.gbnf }),
  };
}
