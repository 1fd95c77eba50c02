import { rankEndpoint } from "#runtime";
import type { EngineProfile, EngineRole, KvEventOrigin } from "../../engines/types.ts";
import type { RequestHealthOptions } from "./request-health.ts";

/** An engine to attach, as its operator describes it. Only the address is required. */
export interface EngineSpec {
  /** Base address: `http://127.0.0.1:8000`. */
  readonly url: string;
  /** Default: host and port. */
  readonly name?: string | undefined;
  /** The engine's key, sent as `Authorization: Bearer`. */
  readonly apiKey?: string | undefined;
  /** Tags by which requests may select it. */
  readonly tags?: readonly string[] | undefined;
  /** The source of its KV events, for engines that do not report it: the endpoint of rank 0. */
  readonly kvEvents?: KvEventsSpec | undefined;
  /** Tokens per KV block, for engines that do not report it. */
  readonly blockSize?: number | undefined;
  /** For how long it keeps KV blocks for decode engines, in milliseconds. Default: its adapter's. */
  readonly kvLeaseMs?: number | undefined;
  /** Its part in requests. Default: what it reports, else aggregated. */
  readonly role?: EngineRole | undefined;
}

export interface KvEventsSpec {
  /** `tcp://HOST:PORT`, with `*` for the engine's host; rank r is on port + r. */
  readonly endpoint: string;
  readonly replayEndpoint?: string | undefined;
  readonly topic?: string | undefined;
}

/** The engine's part in requests: the operator knows better than the engine. */
export const roleOf = (spec: Pick<EngineSpec, "role">, profile: EngineProfile | undefined): EngineRole =>
  spec.role ?? profile?.role ?? "aggregated";

/** The sources of an engine's KV events, as given by its operator, or else as reported by the engine. */
export function kvEventSources(
  { kvEvents, url }: EngineSpec,
  profile: EngineProfile,
): readonly KvEventOrigin[] {
  if (kvEvents === undefined) return profile.kvEvents;
  const { hostname } = new URL(url);
  const of = (endpoint: string, rank: number) =>
    rankEndpoint(endpoint.replace("//*:", `//${hostname}:`), rank);
  return Array.from({ length: profile.dataParallelSize }, (_, rank) => ({
    kind: "zmq",
    rank,
    endpoint: of(kvEvents.endpoint, rank),
    replayEndpoint: kvEvents.replayEndpoint && of(kvEvents.replayEndpoint, rank),
    topic: kvEvents.topic ?? "",
  }));
}

/** How the gateway checks engines' health. Times in milliseconds. */
export interface HealthOptions {
  /** The interval between checks of a healthy engine. */
  readonly intervalMs: number;
  /** The interval between reads of a healthy engine's models, if its checks do not return them. */
  readonly modelsMs: number;
  /** The timeout of a check. */
  readonly timeoutMs: number;
  /** Consecutive failed checks before an engine is set aside. */
  readonly failures: number;
  readonly requests: RequestHealthOptions;
  /** Time after which an engine that joins others gets its full share of requests. */
  readonly slowStartMs: number;
  /** The minimum and maximum backoff before an engine that was set aside is probed again. */
  readonly firstRetryMs: number;
  readonly lastRetryMs: number;
}

export const DEFAULT_HEALTH: HealthOptions = {
  intervalMs: 2_000,
  modelsMs: 5_000,
  timeoutMs: 2_000,
  failures: 3,
  requests: { consecutiveFailures: 5, firstPauseMs: 1_000, longestPauseMs: 30_000 },
  slowStartMs: 10_000,
  firstRetryMs: 100,
  lastRetryMs: 2_000,
};

/** The default name of the engine at an address. */
export function defaultEngineName(url: string): string {
  const { host, pathname } = new URL(url);
  return pathname === "/" ? host : `${host}${pathname.replace(/\/$/, "")}`;
}

/** The share of a member that has just joined. */
const MIN_SHARE = 0.1;

/** A member's share of requests during slow start, 0 to 1. */
export const slowStartShare = (readyMs: number, slowStartMs: number): number =>
  slowStartMs <= 0 ? 1 : Math.min(1, Math.max(MIN_SHARE, readyMs / slowStartMs));
