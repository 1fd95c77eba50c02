import { setTimeout as sleep } from "node:timers/promises";
import type { Dialect } from "./dialect.ts";
import { StandInEngine } from "./engine.ts";
import { type Faults, faultsSchema } from "./faults.ts";
import { generationRoute } from "./generation-route.ts";
import { KvExports } from "./kv-handoff.ts";
import { type KvEventPlace, KvPublishers } from "./kv-publishers.ts";
import type { StandInOptions } from "./options.ts";
import { type ServerOptions, type StandInRoute, StandInServer } from "./server.ts";

/** A running stand-in. */
export interface StandIn extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly engine: StandInEngine;
  /** Each rank's KV event endpoints; empty if it publishes none. */
  readonly kvEvents: readonly KvEventPlace[];
  /** The KV blocks that it holds for other engines. */
  readonly kvExports: KvExports;
  /** Every request so far, as `METHOD /path`. */
  readonly requests: readonly string[];
  /** Replaces the faults, as `POST /stand-in/faults` does. */
  setFaults(faults: Partial<Faults>): void;
  close(): Promise<void>;
}

/** What the stand-in's routes report about it. */
export interface StandInContext {
  readonly engine: StandInEngine;
  readonly options: StandInOptions;
  readonly model: string;
  /** The model's name, its aliases and its adapters. */
  readonly names: readonly string[];
  readonly kvEvents: readonly KvEventPlace[];
  readonly kvExports: KvExports;
  /** Its address; only once it listens. */
  place(): { readonly host: string; readonly port: number };
  crash(): void;
  /** When it was started, in seconds since 1970. */
  readonly created: number;
}

/** A kind of engine: its routes other than those that generate tokens, and the format of its answers. */
export interface EngineKindOptions {
  dialect(context: StandInContext): Dialect;
  routes(context: StandInContext): Record<string, StandInRoute>;
  /** The routes that generate tokens. Default: `GENERATION_ROUTES`. */
  generationRoutes?(options: StandInOptions): readonly string[];
  refuse: ServerOptions["refuse"];
}

export const GENERATION_ROUTES: readonly string[] = ["POST /v1/chat/completions", "POST /v1/completions"];

/** Starts a stand-in. @throws Error if a port is taken */
export async function startStandIn(kind: EngineKindOptions, options: StandInOptions): Promise<StandIn> {
  const { model = "tiny", aliases = [], adapters = [], crash = () => process.exit(1) } = options;
  if (options.startMs) await sleep(options.startMs);
  const engine = new StandInEngine(options);
  const publishers = options.kvEvents && (await KvPublishers.open(options.kvEvents, options.ranks ?? 1));
  engine.subscribe((rank, events) => publishers?.publish(rank, events));
  const context: StandInContext = {
    engine,
    options,
    model,
    names: [model, ...aliases, ...adapters],
    kvEvents: publishers?.places ?? [],
    kvExports: new KvExports(options.kvLeaseMs ?? 30_000),
    place: () => ({ host: options.host ?? "127.0.0.1", port: server.port }),
    crash,
    created: Math.floor(engine.startedAt),
  };
  const dialect = kind.dialect(context);
  const generation = { model, adapters, crash };
  const own = kind.routes(context);
  const generating = kind.generationRoutes?.(options) ?? GENERATION_ROUTES;
  const tokenRoutes: Record<string, StandInRoute> = {
    "POST /v1/chat/completions": generationRoute("chat", engine, dialect, generation),
    "POST /v1/completions": generationRoute("completions", engine, dialect, generation),
  };
  const routes: Record<string, StandInRoute> = {
    ...own,
    "GET /stand-in/kv": context.kvExports.counts,
    "GET /stand-in/kv/*": context.kvExports.route,
    ...Object.fromEntries(generating.map((name) => [name, tokenRoutes[name]!])),
  };
  const server: StandInServer = await StandInServer.listen({
    port: options.port,
    host: options.host,
    apiKey: options.apiKey,
    routes,
    generationRoutes: generating,
    refuse: kind.refuse,
    crash,
  }).catch((error: unknown) => {
    publishers?.close();
    throw error;
  });
  const close = async () => {
    await server.close();
    publishers?.close();
  };
  return {
    url: server.url,
    port: server.port,
    engine,
    kvEvents: context.kvEvents,
    kvExports: context.kvExports,
    requests: server.requests,
    setFaults(faults) {
      server.faults = faultsSchema.parse(faults);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/**
 * `/openapi.json` with these routes, as FastAPI generates it.
 * @param generating the routes that generate tokens
 */
export function describeRoutes(
  routes: Readonly<Record<string, StandInRoute>>,
  generating: readonly string[] = GENERATION_ROUTES,
): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const name of [...Object.keys(routes), ...generating]) {
    const [method = "", path = ""] = name.split(" ");
    paths[path] = { ...paths[path], [method.toLowerCase()]: { responses: {} } };
  }
  return { openapi: "3.1.0", info: { title: "FastAPI", version: "0.1.0" }, paths };
}
