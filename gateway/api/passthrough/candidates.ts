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
import { PassedOn } from "../passed-on.ts";

/** A model that may answer a request. */
export interface Candidate extends FoundModel {
  /** Which of its members are asked. */
  readonly kind: Member["kind"];
  /** The name that the request gives, where this model answers in the place of another one. */
  readonly standsInFor?: string;
}

/**
 * The model that a request names, or the only one where it names none, and after it those that answer in its place
 * where it cannot, as far as the client's key may use them.
 * @throws ApiError 403 where the only one is out of the key's scope
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
    return [{ ...withKind(found), rename: found.rename ?? other, standsInFor: name }];
  });
  return own === undefined ? others : [withKind(own), ...others];
}

/** Engines are asked where the model has some, or had some until a moment ago. */
function withKind(found: FoundModel): Candidate {
  const { model } = found;
  const isWorkers = !model.has("engine") && (model.has("worker") || model.workers !== undefined);
  return { ...found, kind: isWorkers ? "worker" : "engine" };
}

/**
 * Asks a model that has both, workers and engines, twice: the kind first to whose member the router would send the
 * prompt now, and the other where that one cannot answer.
 * @param prompt the request's, by a model's own tokens; asked for such models alone
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
 * Asks one candidate after the other, until one answers.
 * @param ask throws `PassedOn` where the next one is to be asked
 * @throws what the last one that was asked for a reason has failed with
 */
export async function firstAnswer(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  candidates: readonly Candidate[],
  ask: (candidate: Candidate, hasOthers: boolean) => Promise<Response>,
): Promise<Response> {
  let failure: ApiError | undefined;
  for (const [index, candidate] of candidates.entries()) {
    if (failure !== undefined && candidate.standsInFor !== undefined)
      noteFallback(context, candidate, failure, dependencies);
    const hasOthers = index < candidates.length - 1;
    try {
      return await ask(candidate, hasOthers);
    } catch (error) {
      if (error instanceof PassedOn) failure = error.error;
      else if (hasOthers && error instanceof ApiError && error.code === "no_worker_ready") failure = error;
      // What is wrong with asking another model is not what the client has asked for.
      else throw failure ?? error;
    }
  }
  throw failure;
}

function noteFallback(
  context: Context<GatewayEnv>,
  { standsInFor = "", model }: Candidate,
  failure: ApiError,
  { metrics, warnings }: GatewayDependencies,
): void {
  metrics.fallbacks.inc({ model: standsInFor, fallback: model.name });
  warnings.warn(`fallback ${standsInFor} ${model.name}`, "another model answers", {
    model: standsInFor,
    fallback: model.name,
    reason: failure.message,
  });
  context.set("headers", { ...context.get("headers"), "x-stator-model": encodeHeaderValue(model.name) });
}
