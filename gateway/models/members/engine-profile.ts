import type { EngineModel, EngineProfile } from "../../engines/types.ts";

/** Every name by which requests may name a model. */
export const namesOf = ({ name, aliases, adapters }: EngineModel) => [name, ...aliases, ...adapters];

/** Whether two profiles differ at most in their models, limitations and start time. */
export function isSameService(before: EngineProfile | undefined, now: EngineProfile): boolean {
  if (before === undefined) return false;
  const [one, other] = [before, now].map((profile) =>
    JSON.stringify({ ...profile, limitations: [], models: [], startedAt: undefined }),
  );
  return one === other;
}

/** Whether two lists of models may come from the same server: they share a model with the same owner. */
export function mayBeSameServer(before: readonly EngineModel[], now: readonly EngineModel[]): boolean {
  if (before.length === 0 || now.length === 0) return true;
  return now.some(({ name, owner }) => before.some((each) => each.name === name && each.owner === owner));
}
