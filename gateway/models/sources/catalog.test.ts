import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  createLogger,
  type Discovery,
  type DiscoveryEvent,
  type Instance,
  type ModelCard,
  randomId,
} from "#runtime";
import { openDiscovery } from "#runtime/node";
import { type CatalogModel, ModelCatalog } from "./catalog.ts";

let discovery: Discovery;
let catalog: ModelCatalog;
let events: string[];
let lines: string[];
let connected: Set<string>;

beforeEach(async () => {
  discovery = await openDiscovery(`memory:${randomId()}`);
  events = [];
  connected = new Set();
  lines = [];
  catalog = new ModelCatalog(
    discovery,
    createLogger({ name: "test", write: (line) => void lines.push(line) }),
  );
});

afterEach(async () => {
  catalog.close();
  await discovery.close();
});

const listener = {
  onJoin: (instance: Instance, model: CatalogModel, isFirst: boolean) =>
    void events.push(`${instance.name} joins ${model.name}${isFirst ? " first" : ""}`),
  onDrain: (instance: Instance) => void events.push(`${instance.name} is leaving`),
  isConnected: ({ name }: Instance) => connected.has(name),
  onLeave: (instance: Instance, model: CatalogModel) =>
    void events.push(`${instance.name} leaves ${model.name}`),
};

function instance(name: string, card: Partial<ModelCard> = {}): Instance {
  return {
    id: randomId(),
    namespace: "default",
    component: "test",
    address: "memory:none",
    name,
    pid: 1,
    card: {
      name: "tiny",
      aliases: [],
      apis: ["chat"],
      role: "aggregated",
      contextLength: 100,
      blockSize: 16,
      totalBlocks: 10,
      maxBatchedTokens: 100,
      maxSequences: 1,
      dataParallelSize: 1,
      tokenizer: { kind: "worker", sha256: "a" },
      specialTokens: {},
      addBos: false,
      eosTokenIds: [],
      vocabularySize: 10,
      features: { logprobs: false, logitBias: false, embeddings: false },
      engine: { name: "test", version: "1" },
      created: 0,
      ...card,
    },
  };
}

const put = (key: string, value: Instance) => discovery.put(`instances/${key}`, value);

describe("the catalog", () => {
  test("notes a worker's new LoRA adapters, and keeps the worker", async () => {
    await catalog.open(listener);
    const worker = instance("a", { loraAdapters: ["sql"] });
    await put("a", worker);
    await put("a", { ...worker, card: { ...worker.card, loraAdapters: ["sql", "poems"] } });
    expect(events).toEqual(["a joins tiny first"]);
    const adapters = () => catalog.list().flatMap(({ instances }) => [...instances][0]!.card.loraAdapters);
    expect(adapters()).toEqual(["sql", "poems"]);
    await put("a", worker);
    await put("a", { ...worker, card: { ...worker.card, loraAdapters: ["sql"], maxSequences: 2 } });
    expect(events).toEqual(["a joins tiny first", "a leaves tiny", "a joins tiny first"]);
    expect(adapters()).toEqual(["sql"]);
  });

  test("reports workers that exist, join and leave", async () => {
    await put("a", instance("a"));
    await catalog.open(listener);
    await put("b", instance("b"));
    await discovery.delete("instances/a");
    expect(events).toEqual(["a joins tiny first", "b joins tiny", "a leaves tiny"]);
    expect(catalog.list().map((model) => model.name)).toEqual(["tiny"]);
    await discovery.delete("instances/b");
    expect(catalog.list()).toEqual([]);
  });

  test("reports that a worker is leaving, and removes it with its registration", async () => {
    await catalog.open(listener);
    const leaving = instance("a");
    connected.add("a");
    await put("a", leaving);
    await put("a", { ...leaving, drainWithinMs: 5_000 });
    await put("a", { ...leaving, drainWithinMs: 5_000 });
    expect(events).toEqual(["a joins tiny first", "a is leaving"]);
    await discovery.delete("instances/a");
    expect(events.at(-1)).toBe("a leaves tiny");
  });

  test("ignores a worker that is already leaving when it is first seen", async () => {
    await put("a", { ...instance("a"), drainWithinMs: 5_000 });
    await catalog.open(listener);
    await discovery.delete("instances/a");
    expect(events).toEqual([]);
  });

  describe("when a worker's registration disappears without an announcement", () => {
    beforeEach(async () => {
      vi.useFakeTimers();
      await catalog.open(listener);
      connected.add("a");
      await put("a", worker);
      events.length = 0;
      await discovery.delete("instances/a");
      return () => vi.useRealTimers();
    });
    const worker = instance("a");

    test("keeps it for two TTLs while it answers", async () => {
      await vi.advanceTimersByTimeAsync(19_999);
      expect(events).toEqual([]);
      expect(catalog.list()).toHaveLength(1);
      await vi.advanceTimersByTimeAsync(1);
      expect(events).toEqual(["a leaves tiny"]);
      expect(lines.join("")).toMatch(/registration is gone .* still answers.*worker=a keptSeconds=20/);
    });

    test("keeps it if it registers again", async () => {
      await put("a", worker);
      await vi.advanceTimersByTimeAsync(30_000);
      expect(events).toEqual([]);
    });

    test("removes it as soon as it no longer answers", async () => {
      catalog.onConnectionLost(catalog.list()[0]!.instances.values().next().value!);
      expect(events).toEqual(["a leaves tiny"]);
      await put("a", worker);
      expect(events).toEqual(["a leaves tiny", "a joins tiny first"]);
    });

    test("removes it if it announces its end afterwards", async () => {
      await put("a", { ...worker, drainWithinMs: 0 });
      await discovery.delete("instances/a");
      expect(events).toEqual(["a is leaving", "a leaves tiny"]);
    });
  });

  test("finds models by name and alias", async () => {
    await catalog.open(listener);
    expect(catalog.find("tiny")).toBeUndefined();
    await put("a", instance("a", { name: "llama-3", aliases: ["default"] }));
    await put("b", instance("b", { name: "qwen" }));
    expect(catalog.find("llama-3")?.name).toBe("llama-3");
    expect(catalog.find("default")?.name).toBe("llama-3");
    expect(catalog.find("__proto__")).toBeUndefined();
  });

  test("refuses a worker with another block size or tokenizer, and says why", async () => {
    await catalog.open(listener);
    await put("a", instance("a"));
    await put("b", instance("b", { blockSize: 32 }));
    await put("c", instance("c", { tokenizer: { kind: "worker", sha256: "b" } }));
    expect(events).toEqual(["a joins tiny first"]);
    expect(lines.join("")).toMatch(
      /refused a worker.*worker=b.*field=blockSize reason="it is 32, .* workers is 16"/,
    );
    expect(lines.join("")).toMatch(/refused a worker.*worker=c.*field=tokenizer.sha256/);
    // When the last accepted worker has left, refused ones are accepted.
    await discovery.delete("instances/a");
    expect(events.slice(1)).toEqual(["a leaves tiny", "b joins tiny first"]);
    expect(catalog.find("tiny")?.card.blockSize).toBe(32);
  });

  test("a worker that registers again leaves and joins", async () => {
    await catalog.open(listener);
    await put("a", instance("a"));
    await put("a", instance("a2"));
    expect(events).toEqual(["a joins tiny first", "a leaves tiny", "a2 joins tiny first"]);
  });

  test("an unchanged entry has no effect", async () => {
    await catalog.open(listener);
    const same = instance("a");
    for (let time = 0; time < 3; time++) await put("a", same);
    expect(events).toEqual(["a joins tiny first"]);
  });

  test("a snapshot is complete: workers that it does not have are removed", async () => {
    let emit: (event: DiscoveryEvent) => void = () => {};
    const watch: Discovery["watch"] = async (_, onEvent) => {
      emit = onEvent;
      return { close() {} };
    };
    const sendSnapshot = (...all: Instance[]) => {
      const entries = all.map(
        (each) => [`instances/${each.name}`, JSON.parse(JSON.stringify(each))] as const,
      );
      emit({ type: "snapshot", entries: new Map(entries) });
    };
    const log = createLogger({ name: "test", write: () => {} });
    await new ModelCatalog({ ...discovery, watch }, log).open(listener);
    const [a, b, c] = [instance("a"), instance("b"), instance("c")];
    sendSnapshot(a, b);
    sendSnapshot(b, c);
    expect(events).toEqual(["a joins tiny first", "b joins tiny", "a leaves tiny", "c joins tiny"]);
  });

  test("refuses invalid entries, and names worker and field", async () => {
    const { blockSize: _, ...card } = instance("b").card;
    await discovery.put("instances/x", { nonsense: true });
    await discovery.put("instances/b", { ...instance("b"), card });
    await catalog.open(listener);
    expect(catalog.list()).toEqual([]);
    expect(lines.join("")).toMatch(
      /error test refused a worker with an invalid model card worker=b field=card\.blockSize reason=/,
    );
    expect(catalog.refused()).toEqual([
      { name: "b", field: "card.blockSize", reason: expect.any(String) },
      { name: "instances/x", field: "id", reason: expect.any(String) },
    ]);
    await discovery.delete("instances/x");
    await put("b", instance("b"));
    expect(catalog.refused()).toEqual([]);
    expect(events).toEqual(["b joins tiny first"]);
  });

  test("a worker whose card turns out to be invalid leaves until it registers again", async () => {
    await catalog.open(listener);
    const wrong = instance("a");
    await put("a", wrong);
    await put("b", instance("b"));
    const [model] = catalog.list();
    const known = [...model!.instances].find(({ name }) => name === "a")!;
    catalog.refuse(known, { field: "chatTemplate", reason: "it is none" });
    expect(events.slice(2)).toEqual(["a leaves tiny"]);
    await discovery.delete("instances/b");
    expect(catalog.list()).toEqual([]);
    expect(catalog.refused()).toEqual([{ name: "a", field: "chatTemplate", reason: "it is none" }]);
    await put("a", instance("a"));
    expect([catalog.refused(), events.at(-1)]).toEqual([[], "a joins tiny first"]);
  });
});
