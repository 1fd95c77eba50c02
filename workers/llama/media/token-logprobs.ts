/** The log probability of a token, and the most probable ones. */
export interface TokenLikelihood {
  readonly logprob: number;
  /** Best first. */
  readonly top: readonly (readonly [tokenId: number, logprob: number])[];
}

/** By the softmax of a model's logits, before any sampling. @param count of the most probable tokens to give */
export function logprobsOf(logits: Float32Array, token: number, count: number): TokenLikelihood {
  let most = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > most) most = logit;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - most);
  const total = most + Math.log(sum);
  const best: number[] = [];
  for (let id = 0; count > 0 && id < logits.length; id++) {
    if (best.length === count && logits[id]! <= logits[best.at(-1)!]!) continue;
    const place = best.findIndex((other) => logits[other]! < logits[id]!);
    best.splice(place === -1 ? best.length : place, 0, id);
    if (best.length > count) best.pop();
  }
  return { logprob: logits[token]! - total, top: best.map((id) => [id, logits[id]! - total]) };
}
