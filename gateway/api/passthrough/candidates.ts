import type { Context } from "hono";
import type { GatewayEnv } from "../../access/env.ts";
import { ApiError } from "../../kernel/errors.ts";
import { encodeHeaderValue } from "../../kernel/header-values.ts";
import type { Model } from "../../models/model.ts";
import { mayUseModel, requireModel } from "../../models/model-scope.ts";
import type { Models } from "../../models/models.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { FallbackError } from "../fallback-error.ts";
import { isUnsupported, type OfKind, ofKind } from "./member-kinds.ts";

/** A model that may answer a request, and which kind of its members to ask. */
export interface Candidate extends OfKind {
  /** The model that the request names, if this one is a fallback for it. */
  readonly fallbackFor?: string;
}

/**
 * The model that a request names, or the only one if it names none, followed by its fallbacks that the client's key
 * may use.
 * @throws ApiError 403 if the only model is outside the key's scope
 */
export function candidatesFor(
  name: string | undefined,
  context: Context<GatewayEnv>,
  models: Models<Model>,
): Candidate[] {
  const key = context.get("key");
  if (name === undefined) {
    const { only } = models;
    if (only !== undefined) requireModel(key, models, only.model.name);
    return only === undefined ? [] : [ofKind(only)];
  }
  const own = models.find(name);
  const others = models.fallbacks(name).flatMap((other): Candidate[] => {
    const found = mayUseModel(key, models, other) ? models.find(other) : undefined;
    if (found === undefined) return [];
    const candidate = ofKind(found, other);
    return [{ ...candidate, rename: candidate.rename ?? other, fallbackFor: name }];
  });
  return own === undefined ? others : [ofKind(own, name), ...others];
}

/**
 * Asks one candidate after another until one answers.
 * @param ask throws `FallbackError` if the next one should be asked
 * @throws the error of the last candidate that could have answered
 */
export async function firstAnswer(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  candidates: readonly Candidate[],
  ask: (candidate: Candidate, hasOthers: boolean) => Promise<Response>,
): Promise<Response> {
  let failure: ApiError | undefined;
  for (const [index, candidate] of candidates.entries()) {
    const next = candidates[index + 1];
    const isSecondKind = candidates[index - 1]?.model === candidate.model;
    if (candidate.fallbackFor !== undefined && !isSecondKind)
      recordFallback(context, candidate, failure, dependencies);
    try {
      return await ask(candidate, next !== undefined);
    } catch (error) {
      if (error instanceof FallbackError) failure = error.error;
      else if (next !== undefined && error instanceof ApiError && error.code === "no_worker_ready")
        failure = error;
      // Its engines may accept what its workers do not support.
      else if (next?.model === candidate.model && isUnsupported(error)) continue;
      else if (isSecondKind && candidate.fallbackFor === undefined && isInvalid(error)) throw error;
      // The client did not ask for the fallback: report why the model before it failed, not the fallback's error.
      else throw failure ?? error;
    }
  }
  throw failure;
}

/** Whether the request is wrong whoever answers it. */
const isInvalid = (error: unknown) =>
  error instanceof ApiError && error.status === 400 && !isUnsupported(error);

function recordFallback(
  context: Context<GatewayEnv>,
  { fallbackFor = "", model }: Candidate,
  failure: ApiError | undefined,
  { metrics, warnings }: GatewayDependencies,
): void {
  metrics.fallbacks.inc({ model: fallbackFor, fallback: model.name });
  warnings.warn(`fallback ${fallbackFor} ${model.name}`, "another model answers", {
    model: fallbackFor,
    fallback: model.name,
    reason: failure?.message ?? "no worker or engine serves it",
  });
  context.set("headers", { ...context.get("headers"), "x-stator-model": encodeHeaderValue(model.name) });
}
