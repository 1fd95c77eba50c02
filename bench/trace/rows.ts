import { POLICIES, POLICY_NAMES } from "#gateway";
import { type CostWeights, DYNAMO_WEIGHTS } from "#router-wasm";
import type { Simulation } from "./simulation.ts";

type Routing = Pick<Simulation, "policy" | "knowledge" | "prefersOwnShare"> & {
  weights?: Partial<CostWeights>;
};

const OWN_SHARES = "kv, own shares";

/** The rows of a table, by their names. "oracle" is one worker with the memory and the speed of all. */
const ROUTINGS: Readonly<Record<string, Routing>> = {
  random: { policy: "random", knowledge: "none" },
  "round-robin": { policy: "round-robin", knowledge: "none" },
  "least-loaded": { policy: "least-loaded", knowledge: "events" },
  approximate: { policy: "kv", knowledge: "predictions" },
  kv: { policy: "kv", knowledge: "events" },
  "kv, Dynamo's weights": { policy: "kv", knowledge: "events", weights: DYNAMO_WEIGHTS },
  [OWN_SHARES]: { policy: "kv", knowledge: "events", prefersOwnShare: true },
  oracle: { policy: "round-robin", knowledge: "none" },
};

interface RowChoice {
  policies: readonly string[] | undefined;
  gateways: number;
}

/** The rows of a table: those asked for beside the two that others are compared with, or all of them. */
export function rowNames({ policies, gateways }: RowChoice): string[] {
  const all = Object.keys(ROUTINGS);
  if (policies !== undefined)
    return [...new Set(["round-robin", ...policies, ...(gateways > 1 ? [OWN_SHARES] : []), "oracle"])];
  return gateways > 1 ? all : all.filter((name) => name !== OWN_SHARES);
}

/** What may be asked for: every row, and every policy of the gateway. */
export const KNOWN_ROWS = [...new Set([...Object.keys(ROUTINGS), ...POLICY_NAMES])];

/** A policy that has no row of its own is told of events where it goes by what workers have cached. */
export const routingOf = (row: string): Routing | undefined => {
  const policy = POLICY_NAMES.find((name) => name === row);
  return ROUTINGS[row] ?? (policy && { policy, knowledge: POLICIES[policy].readsCaches ? "events" : "none" });
};
