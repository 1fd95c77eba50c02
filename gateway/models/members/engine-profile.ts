import type { EngineModel, EngineProfile } from "../../engines/types.ts";

/** Every name that requests may give a model. */
export const namesOf = ({ name, aliases, adapters }: EngineModel) => [name, ...aliases, ...adapters];

/** Whether an engine is what it was, but for its models, which come and go. */
export function isSameService(before: EngineProfile | undefined, now: EngineProfile): boolean {
  if (before === undefined) return false;
  const [one, other] = [before, now].map((profile) =>
    JSON.stringify({ ...profile, limitations: [], models: [], startedAt: undefined }),
  );
  return one === other;
}

/** Whether a list of models may be of the server that another one was of: some model of the same maker is in both. */
export function mayBeSameServer(before: readonly EngineModel[], now: readonly EngineModel[]): boolean {
  if (before.length === 0 || now.length === 0) return true;
  return now.some(({ name, owner }) => before.some((each) => each.name === name && each.owner === owner));
}
