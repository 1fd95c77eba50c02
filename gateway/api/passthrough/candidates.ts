import type { Context } from "hono";
import type { GatewayEnv } from "../../access/env.ts";
import { ApiError } from "../../kernel/errors.ts";
import { encodeHeaderValue } from "../../kernel/header-values.ts";
import type { Member } from "../../models/members/member.ts";
import type { Model } from "../../models/model.ts";
import { mayUseModel, requireModel } from "../../models/model-scope.ts";
import type { FoundModel, Models } from "../../models/models.ts";
import type { Prompt } from "../../routing/prompt.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { FallbackError } from "../fallback-error.ts";

/** A model that may answer a request. */
export interface Candidate extends FoundModel {
  /** Which kind of its members to ask. */
  readonly kind: Member["kind"];
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
    return only === undefined ? [] : [withKind(only)];
  }
  const own = models.find(name);
  const others = models.fallbacks(name).flatMap((other): Candidate[] => {
    const found = mayUseModel(key, models, other) ? models.find(other) : undefined;
    if (found === undefined) return [];
    return [{ ...withKind(found), rename: found.rename ?? other, fallbackFor: name }];
  });
  return own === undefined ? others : [withKind(own), ...others];
}

/** Prefers engines if the model has some, or had some until a moment ago. */
function withKind(found: FoundModel): Candidate {
  const { model } = found;
  const isWorkers = !model.has("engine") && (model.has("worker") || model.workers !== undefined);
  return { ...found, kind: isWorkers ? "worker" : "engine" };
}

/**
 * Lists a model that has both workers and engines twice: first the kind whose member the router would choose now,
 * then the other one.
 * @param prompt tokenizes the request's prompt for a model; called only for models that have both
 */
export async function withBothKinds(
  candidates: readonly Candidate[],
  prompt: (model: Model) => Promise<Prompt>,
): Promise<Candidate[]> {
  const all = candidates.map(async (candidate) => {
    const { model } = candidate;
    if (!model.has("engine") || !model.has("worker")) return [candidate];
    const kind = model.kindFor(await prompt(model));
    return [{ ...candidate, kind }, { ...candidate, kind: kind === "engine" ? "worker" : "engine" } as const];
  });
  return (await Promise.all(all)).flat();
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
    if (failure !== undefined && candidate.fallbackFor !== undefined)
      recordFallback(context, candidate, failure, dependencies);
    const hasOthers = index < candidates.length - 1;
    try {
      return await ask(candidate, hasOthers);
    } catch (error) {
      if (error instanceof FallbackError) failure = error.error;
      else if (hasOthers && error instanceof ApiError && error.code === "no_worker_ready") failure = error;
      // The client did not ask for the fallback: report why the model before it failed, not the fallback's error.
      else throw failure ?? error;
    }
  }
  throw failure;
}

function recordFallback(
  context: Context<GatewayEnv>,
  { fallbackFor = "", model }: Candidate,
  failure: ApiError,
  { metrics, warnings }: GatewayDependencies,
): void {
  metrics.fallbacks.inc({ model: fallbackFor, fallback: model.name });
  warnings.warn(`fallback ${fallbackFor} ${model.name}`, "another model answers", {
    model: fallbackFor,
    fallback: model.name,
    reason: failure.message,
  });
  context.set("headers", { ...context.get("headers"), "x-stator-model": encodeHeaderValue(model.name) });
}
