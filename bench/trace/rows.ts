import { POLICIES, POLICY_NAMES } from "#gateway";
import { type CostWeights, DYNAMO_WEIGHTS } from "#router-wasm";
import type { Simulation } from "./simulation.ts";

type Routing = Pick<Simulation, "policy" | "knowledge" | "prefersOwnShare"> & {
  weights?: Partial<CostWeights>;
};

const OWN_SHARES = "kv, own shares";

/** The rows of a table by name. "oracle" is a single worker with the memory and speed of all. */
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

/** The rows of a table: the requested ones plus the two references, or all. */
export function rowNames({ policies, gateways }: RowChoice): string[] {
  const all = Object.keys(ROUTINGS);
  if (policies !== undefined)
    return [...new Set(["round-robin", ...policies, ...(gateways > 1 ? [OWN_SHARES] : []), "oracle"])];
  return gateways > 1 ? all : all.filter((name) => name !== OWN_SHARES);
}

/** The rows that can be requested: every row, and every policy of the gateway. */
export const KNOWN_ROWS = [...new Set([...Object.keys(ROUTINGS), ...POLICY_NAMES])];

/** A policy without a row of its own gets events if it depends on caches. */
export const routingOf = (row: string): Routing | undefined => {
  const policy = POLICY_NAMES.find((name) => name === row);
  return ROUTINGS[row] ?? (policy && { policy, knowledge: POLICIES[policy].readsCaches ? "events" : "none" });
};
