import { type EngineProbe, probeEngine } from "./index.ts";
import type { EngineApi, Limitation } from "./types.ts";

/**
 * Probes an engine for a gateway that keeps the caches of its keys apart, and adds what the engine lacks for that.
 * @throws EngineApiError as `probeEngine`
 */
export async function probeIsolated(api: EngineApi): Promise<EngineProbe> {
  const { adapter, profile } = await probeEngine(api);
  const what = lackOf({ adapter, profile });
  if (what === undefined) return { adapter, profile };
  const limitation: Limitation = { code: "isolation", what, flag: undefined };
  return { adapter, profile: { ...profile, limitations: [...profile.limitations, limitation] } };
}

function lackOf({ adapter, profile: { version } }: EngineProbe): string | undefined {
  if (adapter.saltFields?.("salt", { path: "/v1/chat/completions", version }) === undefined)
    return "it cannot keep the caches of keys apart, so with --isolate it gets no chats";
  return adapter.forgetsSalted
    ? "it cannot keep the caches of keys apart, so with --isolate it computes every prompt anew"
    : undefined;
}
