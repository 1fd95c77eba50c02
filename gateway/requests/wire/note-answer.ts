import type { EngineMember } from "../../models/members/engine-member.ts";
import type { Route } from "../../routing/route.ts";
import type { AnswerBody, AnswerUsage } from "./answer-body.ts";
import type { WireJob } from "./job.ts";
import { exactTokens } from "./judge-broken.ts";

/** Whole blocks of the prompt. */
export const promptBlocksOf = ({ prompt, model }: WireJob): number =>
  Math.floor(prompt.tokens.length / model.blockSize);

/** Reports what a whole answer shows to the router, the engine and the table of kept resources. */
export function noteAnswer(
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

/** Counts a whole answer's tokens in the model's metrics. */
export function countUsage({ model }: WireJob, used: AnswerUsage, cachedTokens: number | undefined): void {
  const { metrics } = model;
  metrics.inputTokens.observe(used.promptTokens);
  metrics.outputTokens.observe(used.completionTokens);
  metrics.outputTokensTotal.inc(used.completionTokens);
  metrics.cachedTokensTotal.inc(cachedTokens ?? 0);
}

/** The engine's own usage, or an estimate: the prompt as tokenised here, and the tokens that arrived. */
export const usageOf = ({ prompt }: WireJob, { usage, tokens }: AnswerBody): AnswerUsage =>
  usage ?? { promptTokens: prompt.tokens.length, completionTokens: tokens };

/**
 * The usage of a stream that reports none, with the answer counted by an engine's tokenizer. That is done where events
 * carry several tokens, and otherwise now and then, to learn how long the model's tokens are.
 * @returns undefined if the estimate is as good
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
