import { ApiError } from "../../kernel/errors.ts";
import type { Member } from "../../models/members/member.ts";
import type { Model } from "../../models/model.ts";
import type { FoundModel } from "../../models/models.ts";
import { hasAll } from "../../routing/filters/tags.ts";
import type { PeekRequest } from "../../routing/route.ts";
import { fits, isNamed } from "../../routing/workers.ts";

/** A model, and which kind of its members to ask. */
export interface OfKind extends FoundModel {
  readonly kind: Member["kind"];
}

/**
 * Prefers engines if the model has some, or had some until a moment ago.
 * @param name the name that the request gives the model
 */
export function ofKind(found: FoundModel, name = found.model.name): OfKind {
  const { model } = found;
  const isWorkers = !model.has("engine") && (model.has("worker") || model.workers !== undefined);
  return { ...found, rename: renameOf(found, name), kind: isWorkers ? "worker" : "engine" };
}

/** An alias that only workers have stands for the model's own name, which all its engines know. */
function renameOf({ model, adapter, rename }: FoundModel, name: string): string | undefined {
  const known = rename ?? name;
  if (adapter !== undefined || known === model.name || !hasBothKinds(model)) return rename;
  const isOfWorkers = [...model.members].some(
    ({ kind, aliases }) => kind === "worker" && aliases.includes(known),
  );
  return isOfWorkers && model.engines.lacking(known).length > 0 ? model.name : rename;
}

/**
 * Lists a model that has both workers and engines twice: first the kind whose member the router would choose now,
 * then the other one, unless no member of that kind could ever answer.
 * @param read reads the request for a model; called only for models that have both
 */
export async function withBothKinds<Candidate extends OfKind>(
  candidates: readonly Candidate[],
  read: (model: Model) => Promise<PeekRequest>,
): Promise<Candidate[]> {
  const all = candidates.map(async (candidate) => {
    const { model, adapter } = candidate;
    if (!hasBothKinds(model)) return [candidate];
    const request = await read(model);
    const meant = [...model.members].filter((member) => isMeant(member, request.preferences, adapter));
    const fitting = meant.filter((member) => fits(request.prompt, member));
    const [only, other] = new Set((fitting.length > 0 ? fitting : meant).map(({ kind }) => kind));
    if (only !== undefined && other === undefined) return [{ ...candidate, kind: only }];
    const kind = await model.kindFor(request);
    return [
      { ...candidate, kind },
      { ...candidate, kind: OTHER[kind] },
    ];
  });
  return (await Promise.all(all)).flat();
}

const OTHER = { engine: "worker", worker: "engine" } as const;

const hasBothKinds = (model: Model) => model.has("engine") && model.has("worker");

/** Whether the request allows this member. */
const isMeant = (
  member: Member,
  { worker, tags }: PeekRequest["preferences"],
  adapter: string | undefined,
): boolean =>
  (worker === undefined || isNamed(member, worker)) &&
  hasAll(member, tags) &&
  (adapter === undefined || member.adapters.includes(adapter));

/** The codes with which the gateway's own routes refuse what workers do not support, although engines may. */
const UNSUPPORTED = new Set([
  "array_above_max_length",
  "context_length_exceeded",
  "unsupported_model",
  "unsupported_parameter",
]);

/** Whether an own route refuses the request for something that only workers lack. */
export const isUnsupported = (error: unknown): boolean =>
  error instanceof ApiError && error.code !== null && UNSUPPORTED.has(error.code);
