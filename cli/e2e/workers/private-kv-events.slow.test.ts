import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { KvHasher } from "#router-wasm";
import { decodeKvEvents, type KvEvent, subscribeKvEvents } from "#runtime";
import { connect } from "#runtime/node";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { loadRouterModule } from "../../assets.ts";
import { kvEventsKey } from "../../commands/privacy-settings.ts";
import { ask } from "../access/attached.ts";
import { metric, until } from "../metrics.ts";
import { StatorProcess } from "../stator-process.ts";

// Workers and gateways as processes; what travels between them is read from the request plane.

const folder = temporaryFolder();

function secret(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const key = secret("key", `${"0123456789abcdef".repeat(2)}\n`);
const otherKey = secret("other-key", "fedcba9876543210fedcba9876543210");
const common = ["--config=none", `--discovery=file:${folder}/d`];
const BLOCK_SIZE = 16;

const startWorker = (name: string, ...flags: string[]) =>
  new StatorProcess([
    ...["worker", "mocker", `--name=${name}`, "--speedup=0", `--block-size=${BLOCK_SIZE}`],
    ...common,
    ...flags,
  ]);

/** A gateway that routes by events alone. */
async function startGateway(...flags: string[]) {
  const args = ["gateway", "--port=0", "--slow-start=0", "--prediction-ttl=0", ...common];
  const gateway = new StatorProcess([...args, ...flags]);
  const [, url] = await gateway.printed(/listening.* url=(http:\S+)/);
  return { gateway, url: url! };
}

const prompt = (subject: string) =>
  Array.from({ length: 30 }, (_, index) => `${subject} number ${index}.`).join(" ");

async function send(url: string, text: string) {
  const { status, headers } = await ask(`${url}/v1/completions`, {
    json: { model: "mocker", prompt: text, max_tokens: 1 },
    headers: { "x-stator-explain": "true" },
  });
  expect(status).toBe(200);
  const number = (name: string) => Number(headers.get(name));
  return {
    worker: headers.get("x-stator-worker")!,
    overlap: number("x-stator-overlap-blocks"),
    blocks: number("x-stator-prompt-blocks"),
  };
}

interface WorkerView {
  name: string;
  url: string;
  kv_events: { kind: string };
  limitations: { code: string; flag: string }[];
}

async function workersOf(url: string): Promise<WorkerView[]> {
  return ((await (await fetch(`${url}/admin/workers`)).json()) as { data: WorkerView[] }).data;
}

/** All events of a worker until it holds that many blocks. */
async function eventsOf(address: string, blocks: number): Promise<KvEvent[]> {
  const client = await connect(address);
  const events: KvEvent[] = [];
  await new Promise<void>((resolve) => {
    let stored = 0;
    subscribeKvEvents(client, {
      onCleared: () => {},
      onPayload(payload) {
        for (const event of decodeKvEvents(payload).events) {
          events.push(event);
          if (event.type === "stored") stored += event.blockHashes.length;
        }
        if (stored >= blocks) resolve();
      },
    });
  });
  client.close();
  return events;
}

test("gateways route by events from which nobody else can learn a prompt", { timeout: 60_000 }, async () => {
  const workers = ["private-0", "private-1"].map((name) => startWorker(name, `--kv-events-key=${key}`));
  const { gateway, url } = await startGateway("--private-kv-events", `--kv-events-key=${key}`);
  await until(async () => (await metric(url, "stator_worker_ready")) === 2);
  await until(async () => (await fetch(`${url}/health`)).ok);
  const first = await send(url, prompt("horse"));
  expect(first.overlap).toBe(0);
  await until(
    async () =>
      (await metric(url, "stator_worker_stored_blocks", { worker: first.worker })) >= first.blocks - 1,
  );
  const second = await send(url, prompt("horse"));
  expect(second.worker).toBe(first.worker);
  expect(second.overlap).toBeGreaterThanOrEqual(second.blocks - 1);
  expect((await send(url, prompt("sheep"))).overlap).toBeLessThan(2);

  const view = (await workersOf(url)).find(({ name }) => name === first.worker)!;
  const events = await eventsOf(view.url, first.blocks - 1);
  expect(events.some(({ type }) => type === "stored")).toBe(true);
  for (const event of events) {
    if (event.type !== "stored") continue;
    expect(event.tokenIds).toHaveLength(0);
    expect(event.localHashes).toHaveLength(event.blockHashes.length);
    expect(event).not.toHaveProperty("cacheSalt");
  }

  // Gateways without the key say so, and predict.
  for (const flags of [[`--kv-events-key=${otherKey}`], []]) {
    const other = await startGateway(...flags);
    await until(async () => (await metric(other.url, "stator_worker_ready")) === 2);
    await other.gateway.printed(/KV events are private, under a key that this gateway does not have/);
    for (const { kv_events, limitations } of await workersOf(other.url)) {
      expect(kv_events.kind).toBe("none");
      expect(limitations).toMatchObject([{ code: "kv-events-key", flag: "--kv-events-key" }]);
    }
    expect(await other.gateway.stop()).toBe(0);
  }
  expect(await gateway.stop()).toBe(0);
  for (const worker of workers) expect(await worker.stop()).toBe(0);
});

test("a gateway with a key routes by events with token ids, too", async () => {
  const worker = startWorker("plain");
  const { gateway, url } = await startGateway(`--kv-events-key=${key}`);
  await until(async () => (await metric(url, "stator_worker_ready")) === 1);
  await until(async () => (await fetch(`${url}/health`)).ok);
  const { blocks } = await send(url, prompt("cow"));
  await until(async () => (await metric(url, "stator_worker_stored_blocks")) >= blocks - 1);
  expect((await send(url, prompt("cow"))).overlap).toBeGreaterThanOrEqual(blocks - 1);
  expect(await gateway.stop()).toBe(0);
  expect(await worker.stop()).toBe(0);
});

describe("the key", () => {
  test("is the same with and without a line break, and another for another secret", async () => {
    const keyOf = (path: string) => kvEventsKey({ "kv-events-key": path, "private-kv-events": false })!;
    const { hashKey, fingerprint } = keyOf(key);
    expect(keyOf(secret("same", `${"0123456789abcdef".repeat(2)}\r\n`))).toEqual({ hashKey, fingerprint });
    expect(fingerprint).toMatch(/^[0-9a-f]{16}$/);
    expect(keyOf(otherKey).fingerprint).not.toBe(fingerprint);
    expect(Buffer.from(hashKey).toString("hex")).not.toContain(fingerprint);
    expect(new KvHasher(await loadRouterModule(), { blockSize: 1, key: hashKey }).blockSize).toBe(1);
  });

  test.each([
    [["--private-kv-events"], /--private-kv-events needs --kv-events-key FILE/],
    [[`--kv-events-key=${folder}/nothing`], /--kv-events-key: .*nothing cannot be read/],
    [[`--kv-events-key=${secret("short", "0123456789\n")}`], /has 10 bytes, and a secret needs at least 16/],
  ])("%j is refused with what to do", async (flags, message) => {
    for (const command of [
      ["worker", "echo"],
      ["gateway", "--port=0"],
      ["up", "--engine=echo", "--port=0"],
    ]) {
      // `up` makes a key of its own.
      if (command[0] === "up" && flags[0] === "--private-kv-events") continue;
      const places = command[0] === "up" ? ["--config=none"] : common;
      const stator = new StatorProcess([...command, ...places, ...flags]);
      expect(await stator.ended()).toBe(2);
      expect(stator.stderr).toMatch(message);
    }
  });
});
