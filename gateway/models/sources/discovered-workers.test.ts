import { afterEach, beforeEach, expect, test } from "vitest";
import {
  createLogger,
  createMetrics,
  type Discovery,
  type Instance,
  type ModelCard,
  type RequestPlaneServer,
  randomId,
} from "#runtime";
import { connect, openDiscovery, serve } from "#runtime/node";
import { createGatewayMetrics } from "../../kernel/metrics.ts";
import { createVocabulary } from "../../prompts/tokenizers/vocabulary.ts";
import { NO_THRESHOLDS } from "../../routing/load/thresholds.ts";
import { DEFAULT_ROUTING } from "../../routing/options.ts";
import type { Route } from "../../routing/route.ts";
import { request, routerModule } from "../../routing/test-model.ts";
import { LocalModel } from "../local-model.ts";
import { DEFAULT_HEALTH } from "../members/engine-spec.ts";
import type { WorkerMember } from "../members/member.ts";
import { Models } from "../models.ts";
import { ModelCatalog } from "./catalog.ts";
import { DiscoveredWorkers } from "./discovered-workers.ts";

let discovery: Discovery;
let models: Models;
let workers: DiscoveredWorkers;
let servers: RequestPlaneServer[];

let lines: string[];

beforeEach(async () => {
  servers = [];
  discovery = await openDiscovery(`memory:${randomId()}`);
  lines = [];
  const log = createLogger({ name: "test", write: (line) => lines.push(line), colour: false });
  const metrics = createGatewayMetrics(createMetrics({ process: false }));
  const routing = { ...DEFAULT_ROUTING, thresholds: { ...NO_THRESHOLDS, queuePrefillSteps: 1 } };
  const options = { routerModule, routing, metrics, log };
  models = new Models({ create: (name, blockSize) => new LocalModel(name, blockSize, options) });
  workers = new DiscoveredWorkers({
    catalog: new ModelCatalog(discovery, log),
    models,
    loadTokenizer: async () => ({
      vocabulary: createVocabulary([]),
      encode: async () => new Uint32Array(0),
    }),
    health: { ...DEFAULT_HEALTH, slowStartMs: 0 },
    connect,
    log,
  });
  await workers.open();
});

afterEach(async () => {
  workers.close();
  await discovery.close();
  for (const server of servers) await server.close();
});

/** Adds a worker. @returns has it leave */
async function join(name: string, card: Partial<ModelCard> = {}): Promise<() => Promise<void>> {
  const server = await serve(`memory:${randomId()}`, {});
  servers.push(server);
  const instance: Instance = {
    id: randomId(),
    namespace: "test",
    component: "test",
    address: server.address,
    name,
    pid: 1,
    card: {
      name: "tiny",
      aliases: [],
      apis: ["chat"],
      role: "aggregated",
      contextLength: 1000,
      blockSize: 16,
      totalBlocks: 100,
      maxBatchedTokens: 64,
      maxSequences: 4,
      dataParallelSize: 1,
      tokenizer: { kind: "worker", sha256: "a" },
      specialTokens: {},
      addBos: false,
      eosTokenIds: [],
      vocabularySize: 256,
      features: { logprobs: false, logitBias: false, embeddings: false },
      engine: { name: "test", version: "1" },
      created: servers.length,
      ...card,
    },
  };
  const key = `instances/${instance.id}`;
  await discovery.put(key, instance);
  await expect.poll(() => isReady(name)).toBe(true);
  return async () => {
    await discovery.put(key, { ...instance, drainWithinMs: 0 });
    await discovery.delete(key);
  };
}

function isReady(worker: string): boolean {
  const [model] = models.all();
  return model?.isReady === true && model.views().some(({ instance }) => instance.name === worker);
}

/** Queues a request behind one that keeps its worker busy. */
function wait(): Promise<string> {
  const { admission } = models.ofWorkers("tiny");
  const apply = (tokens: number) => {
    const { promise, resolve, reject } = Promise.withResolvers<Route<WorkerMember>>();
    const asked = { ...request(tokens), excluded: [] };
    const pending = admission.apply(asked, { onRoute: resolve, onRefused: reject });
    return { promise: promise.then(({ worker }) => worker.instance.name), isWaiting: pending !== undefined };
  };
  apply(64);
  const { promise, isWaiting } = apply(32);
  promise.catch(() => {});
  expect(isWaiting).toBe(true);
  return promise;
}

test("a request queued for a model's last worker goes to its replacement", async () => {
  const leave = await join("one");
  const waiting = wait();
  await leave();
  await expect.poll(() => models.list()).toEqual([]);
  await join("two");
  expect(await waiting).toBe("two");
});

test("the model takes its new worker's card if only the context length differs", async () => {
  const leave = await join("one");
  const waiting = wait();
  await leave();
  await join("two", { contextLength: 500 });
  expect(await waiting).toBe("two");
  expect(models.ofWorkers("tiny").card.contextLength).toBe(500);
});

test("queued requests are rejected if the new worker has another tokenizer", async () => {
  const leave = await join("one");
  const waiting = wait();
  await leave();
  await join("two", { tokenizer: { kind: "worker", sha256: "b" } });
  await expect(waiting).rejects.toMatchObject({ status: 503, code: "no_worker_ready" });
});

test("two workers of one name are warned of, but not one that replaces another", async () => {
  const leave = await join("one");
  await join("two");
  await leave();
  await expect.poll(() => workers.worker("one")).toBeUndefined();
  await join("one");
  const warnings = () => lines.filter((line) => line.includes("the same name"));
  expect(warnings()).toEqual([]);
  await join("one");
  await expect
    .poll(warnings)
    .toEqual([expect.stringMatching(/worker=one addresses="memory:\w+, memory:\w+"/)]);
});
