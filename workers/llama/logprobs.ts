import type { LlamaContextSequence, SequenceEvaluateOptions, Token } from "node-llama-cpp";
import type { TokenLogprob } from "../engine.ts";
import type { AnswerGrammar } from "./grammar/grammars.ts";

/**
 * Generates after the tokens that the sequence holds.
 * @param top see `generateWithLogprobs`; undefined for no log probabilities
 * @param grammar what the tokens keep to, if anything
 */
export async function* generateTokens(
  sequence: LlamaContextSequence,
  firstToken: Token,
  options: SequenceEvaluateOptions,
  top: number | undefined,
  grammar: AnswerGrammar | undefined,
): AsyncGenerator<{ token: Token; logprob: TokenLogprob | undefined }> {
  if (grammar !== undefined) yield* generateByGrammar(sequence, firstToken, options, top, grammar);
  else if (top !== undefined) yield* generateWithLogprobs(sequence, firstToken, options, top);
  else
    for await (const token of sequence.evaluate([firstToken], options)) yield { token, logprob: undefined };
}

/** The same by a grammar. Its log probabilities are those among the tokens that fit the grammar. */
async function* generateByGrammar(
  sequence: LlamaContextSequence,
  firstToken: Token,
  options: SequenceEvaluateOptions,
  top: number | undefined,
  grammar: AnswerGrammar,
): AsyncGenerator<{ token: Token; logprob: TokenLogprob | undefined }> {
  const constrained = { ...options, grammarEvaluationState: () => grammar.state };
  if (top === undefined)
    for await (const token of sequence.evaluate([firstToken], constrained))
      yield { token, logprob: undefined };
  // `controlledEvaluate`, which could return fewer probabilities, takes no grammar.
  else
    for await (const { token, probabilities } of sequence.evaluateWithMetadata(
      [firstToken],
      { probabilities: true },
      constrained,
    ))
      yield { token, logprob: fromProbabilities(token, probabilities, top) };
}

/** @param probabilities the most probable token first */
function fromProbabilities(
  token: Token,
  probabilities: ReadonlyMap<Token, number>,
  top: number,
): TokenLogprob {
  const best: [Token, number][] = [];
  for (const [id, probability] of probabilities) {
    if (best.length === top || probability === 0) break;
    best.push([id, Math.log(probability)]);
  }
  return { logprob: Math.log(probabilities.get(token) ?? 0), top: best };
}

/**
 * Generates like `sequence.evaluate`, with each token's log probability and the most probable alternatives, from the
 * sampled distribution: after temperature, penalties and bias.
 * @param top how many of the most probable tokens to return, 0 to 20
 */
async function* generateWithLogprobs(
  sequence: LlamaContextSequence,
  firstToken: Token,
  options: SequenceEvaluateOptions,
  top: number,
): AsyncGenerator<{ token: Token; logprob: TokenLogprob }> {
  let input = firstToken;
  const { seed = 0 } = options;
  for (let step = 0; ; step++) {
    const [output] = await sequence.controlledEvaluate([
      [
        input,
        {
          generateNext: {
            token: true,
            totalLogitWeight: true,
            logits: { filter: { tokens: [], includeMax: true, includeSelected: true, includeTop: top } },
            // Each step has its own sampler: with the same seed, all would draw the same.
            options: { ...samplerPart(options), seed: (seed + step) % 2 ** 32 },
          },
        },
      ],
    ]);
    const next = output?.next;
    const token = next?.token;
    if (token === undefined || token === null) throw new Error("llama.cpp sampled no token.");
    yield { token, logprob: toLogprob(token, next?.logits ?? new Map(), next?.totalLogitWeight ?? 1, top) };
    input = token;
  }
}

function samplerPart({ temperature, minP, topK, topP, repeatPenalty, tokenBias }: SequenceEvaluateOptions) {
  return {
    ...(temperature !== undefined && { temperature }),
    ...(minP !== undefined && { minP }),
    ...(topK !== undefined && { topK }),
    ...(topP !== undefined && { topP }),
    ...(repeatPenalty !== undefined && { repeatPenalty }),
    ...(tokenBias !== undefined && { tokenBias }),
  };
}

/** log softmax: logit − max − ln Σ exp(logit − max); `weight` is that sum. */
function toLogprob(
  token: Token,
  logits: ReadonlyMap<Token, number>,
  weight: number,
  top: number,
): TokenLogprob {
  const sorted = [...logits].sort((a, b) => b[1] - a[1]);
  const max = sorted[0]?.[1] ?? 0;
  const logprobOf = (logit: number) => Math.min(0, logit - max - Math.log(weight));
  return {
    logprob: logprobOf(logits.get(token) ?? Number.NEGATIVE_INFINITY),
    top: sorted.slice(0, top).map(([id, logit]) => [id, logprobOf(logit)] as const),
  };
}

/**
 * Evaluates a prompt and returns the log probability of each of its tokens, from the second on. The prefix cache must
 * not be reused, because it has no logits.
 */
export async function promptLogprobs(
  sequence: LlamaContextSequence,
  prompt: readonly Token[],
  top: number,
): Promise<TokenLogprob[]> {
  const known = prompt.slice(0, -1);
  const outputs = await sequence.controlledEvaluate(
    known.map((token, index) => {
      const next = prompt[index + 1]!;
      const filter = { tokens: [next], includeMax: true, includeTop: top };
      const options = { temperature: 1, topK: 0, topP: 1 };
      return [token, { generateNext: { totalLogitWeight: true, logits: { filter }, options } }];
    }),
  );
  return known.map((_, index) => {
    const next = outputs[index]?.next;
    return toLogprob(prompt[index + 1]!, next?.logits ?? new Map(), next?.totalLogitWeight ?? 1, top);
  });
}
