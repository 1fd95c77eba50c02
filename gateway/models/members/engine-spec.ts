import { rankEndpoint } from "#runtime";
import type { EngineProfile, KvEventSource } from "../../engines/types.ts";
import type { RequestHealthOptions } from "./request-health.ts";

/** An engine to attach, as its operator describes it. All but the address can be left out. */
export interface EngineSpec {
  /** Base address: `http://127.0.0.1:8000`. */
  readonly url: string;
  /** A short name for people. Default: host and port. */
  readonly name?: string | undefined;
  /** Key that the engine wants as `Authorization: Bearer`. */
  readonly apiKey?: string | undefined;
  /** What requests may select it by. */
  readonly tags?: readonly string[] | undefined;
  /** Where its KV events come from, for engines that do not tell: the endpoint of rank 0. */
  readonly kvEvents?: KvEventsSpec | undefined;
  /** Tokens in a KV block, for engines that do not tell. */
  readonly blockSize?: number | undefined;
}

export interface KvEventsSpec {
  /** `tcp://HOST:PORT`, with `*` for the engine's host; rank r is on port + r. */
  readonly endpoint: string;
  readonly replayEndpoint?: string | undefined;
  readonly topic?: string | undefined;
}

/** Where the engine's KV events come from: from where its operator says, else from where it says itself. */
export function kvEventSources(
  { kvEvents, url }: EngineSpec,
  profile: EngineProfile,
): readonly KvEventSource[] {
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

/** How the gateway finds out whether engines are well. Times in milliseconds. */
export interface HealthOptions {
  /** Between two checks of an engine that is well. */
  readonly intervalMs: number;
  /** Between two times that the models of such an engine are read again, where its checks do not tell them. */
  readonly modelsMs: number;
  /** Longest wait for the answer of a check. */
  readonly timeoutMs: number;
  /** Checks that fail in a row before it is set aside. */
  readonly failures: number;
  readonly requests: RequestHealthOptions;
  /** An engine that comes when others serve already gets its full share of requests only after this time. */
  readonly slowStartMs: number;
  /** First and last wait before an engine that is set aside is asked again. */
  readonly firstRetryMs: number;
  readonly lastRetryMs: number;
}

export const DEFAULT_HEALTH: HealthOptions = {
  intervalMs: 2_000,
  modelsMs: 5_000,
  timeoutMs: 2_000,
  failures: 3,
  requests: { failuresInRow: 5, firstPauseMs: 1_000, longestPauseMs: 30_000 },
  slowStartMs: 10_000,
  firstRetryMs: 100,
  lastRetryMs: 2_000,
};

/** The name that is made of an address where none is given. */
export function defaultEngineName(url: string): string {
  const { host, pathname } = new URL(url);
  return pathname === "/" ? host : `${host}${pathname.replace(/\/$/, "")}`;
}

/** The least that a member gets which has just come. */
const LEAST_SHARE = 0.1;

/** What share of its requests a member gets that has been ready for so long, 0 to 1. */
export const slowStartShare = (readyMs: number, slowStartMs: number): number =>
  slowStartMs <= 0 ? 1 : Math.min(1, Math.max(LEAST_SHARE, readyMs / slowStartMs));
