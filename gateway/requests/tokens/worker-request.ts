import { encodeGenerateRequest, type KvSource } from "#runtime";
import type { WorkerMember } from "../../models/members/member.ts";
import type { Assignment } from "../../routing/plan.ts";
import type { Prompt } from "../../routing/prompt.ts";
import type { AnswerReader } from "./answer-reader.ts";
import type { TokenJob } from "./job.ts";

/** Where what was made of media can be read, by the media's ids. */
type FeatureSources = ReadonlyMap<string, KvSource>;

/** What a worker is asked: to answer the prompt or, after a move, to continue the answer. */
export class WorkerRequest {
  readonly #job: TokenJob;
  readonly #answer: AnswerReader;
  /** After a move, it includes the answer so far. */
  #prompt: Prompt;
  /** The prompt's tokens for the worker. */
  #tokens: Uint32Array;
  /** Length of the answer at the last move, in tokens. */
  #tokensBefore = 0;

  constructor(job: TokenJob, answer: AnswerReader) {
    this.#job = job;
    this.#answer = answer;
    this.#prompt = job.prompt;
    this.#tokens = (job.media ?? job.prompt).tokens;
  }

  /** Whether its prompt includes part of an answer. */
  get isContinuation(): boolean {
    return this.#tokensBefore > 0;
  }

  /** Whether the current worker has added to the answer. */
  get hasProgress(): boolean {
    return this.#answer.length > this.#tokensBefore;
  }

  /** Whether another worker can continue the answer. */
  get isContinuable(): boolean {
    return this.#answer.length === 0 || this.#job.model.card.features.continues !== false;
  }

  /** The prompt for the next worker: the client's, and the whole answer so far. */
  get nextPrompt(): Prompt {
    if (!this.hasProgress) return this.#prompt;
    const { prompt } = this.#job;
    return { ...prompt, tokens: this.#answer.after(prompt.tokens) };
  }

  /** The next worker gets the answer so far as part of its prompt. */
  continueFromHere(): void {
    const { media } = this.#job;
    if (media !== undefined && this.hasProgress) this.#tokens = this.#answer.after(media.tokens);
    this.#prompt = this.nextPrompt;
    if (media === undefined) this.#tokens = this.#prompt.tokens;
    this.#tokensBefore = this.#answer.length;
  }

  /** Whether a worker can answer it: workers of a model can be of several versions, and have different adapters. */
  suits({ instance, adapters }: WorkerMember): boolean {
    const { features } = instance.card;
    const { grammar, salt, media } = this.#job;
    const kinds = instance.card.media ?? [];
    if (media?.items.some(({ kind }) => !kinds.includes(kind))) return false;
    if (salt?.loraName !== undefined && !adapters.includes(salt.loraName)) return false;
    if (grammar !== undefined && features.grammar !== true) return false;
    return salt?.namespace === undefined || features.cacheSalt === true;
  }

  /**
   * @param kvSource the KV blocks of the prompt, if another worker has computed it
   * @param features what encode workers hold of its media, by their ids
   */
  encode(
    { worker, rank }: Assignment<WorkerMember>,
    { kvSource, features }: { kvSource?: KvSource | undefined; features?: FeatureSources | undefined } = {},
  ): Uint8Array {
    const { model, requestId, sampling, maxTokens, ignoreEos, logprobs, echoLogprobs, grammar, media } =
      this.#job;
    const { loraName, namespace, sharedBlocks } = this.#job.salt ?? {};
    return encodeGenerateRequest({
      requestId,
      model: model.card.name,
      tokens: this.#tokens,
      maxTokens: maxTokens - this.#answer.length,
      sampling,
      ignoreEos,
      stopTokenIds: [],
      kvSource,
      ...(grammar !== undefined && { grammar, answered: this.#tokensBefore }),
      ...(logprobs !== undefined && { logprobs }),
      ...(loraName !== undefined && { loraName }),
      ...(namespace !== undefined && { cacheSalt: namespace }),
      ...(sharedBlocks && { sharedTokens: sharedBlocks * model.blockSize }),
      ...(media !== undefined && {
        media: media.items.map(({ id, path: _, ...medium }) => ({ ...medium, features: features?.get(id) })),
      }),
      ...(echoLogprobs && !this.#answer.hasBegun && { echoLogprobs }),
      ...(worker.instance.card.dataParallelSize > 1 && { dataParallelRank: rank }),
    });
  }
}
