import type { Policy } from "#router-wasm";
import type { RoutingPolicy } from "./policy.ts";
import { prefixHash } from "./prefix-hash.ts";

/** A policy that the core implements, in a single call. */
const core = (policy: Policy): RoutingPolicy => ({ readsCaches: policy === "kv", picker: { core: policy } });

/** All policies by name, one line each. */
export const POLICIES = {
  kv: core("kv"),
  "round-robin": core("round-robin"),
  random: core("random"),
  "least-loaded": core("least-loaded"),
  "power-of-two": core("power-of-two"),
  "prefix-hash": prefixHash,
} as const satisfies Record<string, RoutingPolicy>;

export type PolicyName = keyof typeof POLICIES;

export const POLICY_NAMES = Object.keys(POLICIES) as PolicyName[];
