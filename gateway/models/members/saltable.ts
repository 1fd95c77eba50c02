import type { EngineTarget } from "./engine-member.ts";

/**
 * Whether an engine can keep the cached KV of requests to a path apart from that of other salts.
 * @param salt undefined if that is not asked for
 */
export function isSaltable(
  { adapter, profile }: EngineTarget,
  { path, salt }: { readonly path: string; readonly salt: string | undefined },
): boolean {
  if (salt === undefined) return true;
  return adapter?.saltFields?.(salt, { path, version: profile?.version }) !== undefined;
}
