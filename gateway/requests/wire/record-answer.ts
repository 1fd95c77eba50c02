import type { EngineMember } from "../../models/members/engine-member.ts";
import type { Route } from "../../routing/route.ts";
import type { AnswerBody, AnswerUsage } from "./answer-body.ts";
import type { WireJob } from "./job.ts";
import { exactTokens } from "./plan-recovery.ts";

/** Whole blocks of the prompt. */
export const promptBlocksOf = ({ prompt, model }: WireJob): number =>
  Math.floor(prompt.tokens.length / model.blockSize);

/** Reports a complete answer to the router, the engine and the table of kept resources. */
export function recordAnswer(
  job: WireJob,
  route: Route<EngineMember> | undefined,
  { cachedTokens, usage, status, resourceId }: AnswerBody,
): void {
  if (route === undefined) return;
  const { worker, overlapBlocks } = route;
  if (cachedTokens !== undefined) route.report(cachedTokens);
  if (status === 200) {
    const promptBlocks = promptBlocksOf(job);
    worker.engine.observe({ promptBlocks, overlapBlocks, hasUsage: usage !== undefined, cachedTokens });
  }
  if (resourceId !== undefined && status < 300) job.onResource?.(resourceId, worker.engine.name);
}

/** Counts a complete answer's tokens in the model's metrics. */
export function countUsage({ model }: WireJob, usage: AnswerUsage, cachedTokens: number | undefined): void {
  const { metrics } = model;
  metrics.inputTokens.observe(usage.promptTokens);
  metrics.outputTokens.observe(usage.completionTokens);
  metrics.outputTokensTotal.inc(usage.completionTokens);
  metrics.cachedTokensTotal.inc(cachedTokens ?? 0);
}

/** The usage that the engine reported, or an estimate from the tokenised prompt and the events that arrived. */
export const usageOf = ({ prompt }: WireJob, { usage, tokens }: AnswerBody): AnswerUsage =>
  usage ?? { promptTokens: prompt.tokens.length, completionTokens: tokens };

/**
 * The usage of a stream that reports none, with the answer's tokens counted by an engine's tokenizer: if events carry
 * several tokens, and otherwise now and then, to learn how long the model's tokens are.
 * @returns undefined if the estimate is good enough
 */
export function countedUsage(job: WireJob, answer: AnswerBody): Promise<AnswerUsage> | undefined {
  const { usage, tokens, tokensPerEvent, status } = answer;
  const { textTokens } = job.model;
  if (usage !== undefined || tokens === 0 || status !== 200) return undefined;
  if (tokensPerEvent <= 1 && !textTokens.isDue()) return undefined;
  const partial = answer.readPartial();
  if (partial === undefined) return undefined;
  return exactTokens(partial, job.model).then((counted) => {
    if (counted !== undefined) textTokens.learn(encoder.encode(partial.text).length, counted);
    return { promptTokens: job.prompt.tokens.length, completionTokens: counted ?? tokens };
  });
}

const encoder = new TextEncoder();
