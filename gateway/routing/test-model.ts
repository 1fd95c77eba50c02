/** For tests: a model's router with dummy workers. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { compileRouter } from "#router-wasm";
import {
  createLogger,
  createMetrics,
  encodeKvEvents,
  type Instance,
  type KvEvent,
  type ModelCard,
  randomId,
} from "#runtime";
import { createGatewayMetrics } from "../kernel/metrics.ts";
import { ModelRouter } from "./model-router.ts";
import { DEFAULT_ROUTING, type RoutingOptions } from "./options.ts";
import { NO_PREFERENCES, type RoutePreferences } from "./preferences.ts";
import { exactPrompt } from "./prompt.ts";
import type { Route, RouteRequest } from "./route.ts";
import type { RoutedCard, RoutedWorker } from "./workers.ts";

execFileSync(process.execPath, [fileURLToPath(new URL("../../scripts/build-wasm.mjs", import.meta.url))]);
export const routerModule = await compileRouter(
  readFileSync(new URL("../../router-wasm/router.wasm", import.meta.url)),
);

export const BLOCK_SIZE = 16;

export interface TestModel {
  router: ModelRouter;
  metrics: ReturnType<ReturnType<typeof createGatewayMetrics>["forModel"]>["routing"];
  /** Log lines. */
  lines: string[];
  /** Adds a ready worker. */
  add(name: string, card?: Partial<ModelCard & RoutedCard>, shareAt?: () => number): RoutedWorker;
  setReady(worker: RoutedWorker, isReady: boolean): void;
  /** The router's metrics in Prometheus' text format. */
  scrape(): Promise<string>;
}

export function testModel(options: Partial<RoutingOptions> = {}, blockSize = BLOCK_SIZE): TestModel {
  const lines: string[] = [];
  const log = createLogger({ name: "gateway", write: (line) => lines.push(line), colour: false });
  const all = createMetrics({ process: false });
  const metrics = createGatewayMetrics(all).forModel("test").routing;
  const ready = new WeakSet<RoutedWorker>();
  const { others } = options;
  const routing = { ...DEFAULT_ROUTING, ...options };
  const router = new ModelRouter(routerModule, blockSize, routing, metrics, log, others?.loadsOf("test"));
  return {
    router,
    metrics,
    lines,
    scrape: () => all.registry.metrics(),
    add(name, card, shareAt = () => 1) {
      const worker: RoutedWorker = {
        // Other gateways know the worker by its name.
        instance: { ...instance(name, card), ...(others && { sharedId: name }) },
        contextLength: card?.contextLength,
        shareAt,
        get isReady() {
          return ready.has(worker);
        },
      };
      ready.add(worker);
      router.addWorker(worker);
      return worker;
    },
    setReady(worker, isReady) {
      if (isReady) ready.add(worker);
      else ready.delete(worker);
      router.updateWorker(worker);
    },
  };
}

let requests = 0;

/** A request whose prompt has this many tokens, all equal to `token`. */
export function request(
  tokens: number,
  preferences: Partial<RoutePreferences> = {},
  token = ++requests,
): RouteRequest<RoutedWorker> {
  return {
    prompt: exactPrompt(new Uint32Array(tokens).fill(token)),
    requestId: `request-${++requests}`,
    preferences: { ...NO_PREFERENCES, ...preferences },
    excluded: [],
  };
}

/** Feeds the router an event from one of the worker's ranks, in the wire format. */
export function applyEvent(router: ModelRouter, worker: RoutedWorker, event: KvEvent, rank = 0): void {
  router.applyPayload(worker, encodeKvEvents({ timestamp: 0, events: [event], dataParallelRank: rank }));
}

/** The name of the route's worker, or why there is none. */
export const nameOf = (route: Route<RoutedWorker> | string): string =>
  typeof route === "string" ? route : route.worker.instance.name;

/** Routes a request. @throws Error if there is no route */
export function routed(router: ModelRouter, asked: RouteRequest<RoutedWorker>): Route<RoutedWorker> {
  const route = router.route(asked);
  if (typeof route === "string") throw new Error(`no route: ${route}`);
  return route;
}

function instance(name: string, card: Partial<ModelCard & RoutedCard> = {}): Instance {
  return {
    id: randomId(),
    namespace: "test",
    component: "test",
    address: "memory:test",
    name,
    pid: 1,
    card: {
      name: "test",
      aliases: [],
      apis: ["completions"],
      role: "aggregated",
      contextLength: 4096,
      blockSize: BLOCK_SIZE,
      totalBlocks: 100,
      maxBatchedTokens: 256,
      maxSequences: 4,
      dataParallelSize: 1,
      tokenizer: { kind: "worker", sha256: "a" },
      specialTokens: {},
      addBos: false,
      eosTokenIds: [],
      vocabularySize: 256,
      features: { logprobs: false, logitBias: false, embeddings: false },
      engine: { name: "test", version: "1" },
      created: 0,
      ...card,
    },
  };
}
