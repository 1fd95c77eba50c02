import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { hasNats, startNats, startNatsWith } from "../../../runtime/testing/nats-server.ts";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { ask } from "../access/attached.ts";
import { metric, until } from "../metrics.ts";
import { StatorProcess } from "../stator-process.ts";
import { Cluster } from "./cluster.ts";

// Gateways that take the KV events of all workers from a stream in NATS.

const folder = temporaryFolder();

const prompt = (beginning: string) =>
  `${beginning} ${"The quick brown fox jumps over the lazy dog. ".repeat(60)}`;

/** The worker that answers, and how many of the prompt's blocks the gateway knew it to have. */
async function overlap(url: string, text: string): Promise<{ worker: string; blocks: number }> {
  const { status, headers, body } = await ask(`${url}/v1/completions`, {
    json: { model: "mock", prompt: text, max_tokens: 4 },
    headers: { "x-stator-explain": "true" },
  });
  if (status !== 200) throw new Error(`status ${status}: ${JSON.stringify(body)}`);
  return {
    worker: headers.get("x-stator-worker") ?? "",
    blocks: Number(headers.get("x-stator-overlap-blocks")),
  };
}

interface Described {
  name: string;
  kv_events: {
    kind: string;
    endpoints: string[];
    is_connected: boolean;
    batches: number;
    gaps: number | null;
  };
}

async function described(url: string): Promise<Map<string, Described["kv_events"]>> {
  const { data } = (await (await fetch(`${url}/admin/workers`)).json()) as { data: Described[] };
  return new Map(data.map(({ name, kv_events }) => [name, kv_events]));
}

const batches = async (url: string, worker: string) => (await described(url)).get(worker)?.batches ?? 0;

const mocker = ["--model-name=mock", "--speedup=0", "--block-size=16"];

test.runIf(hasNats)(
  "gateways learn from a stream what workers cache, through its loss and theirs",
  async () => {
    await using nats = await startNats();
    const url = `nats://${nats.host}`;
    const events = `--events=${url}`;
    const cluster = await Cluster.start(url, events);
    const other = await Cluster.start(url, events);
    const start = async (name: string, ...flags: string[]): Promise<StatorProcess> => {
      const worker = cluster.engine("mocker", name, ...mocker, ...flags);
      await worker.printed(/worker is ready/);
      for (const { url: gateway } of [cluster, other])
        await until(async () => (await described(gateway)).get(name)?.is_connected === true);
      return worker;
    };
    const one = await start("one", events);
    await start("two", events);
    expect((await described(cluster.url)).get("one")).toMatchObject({
      kind: "stream",
      endpoints: [expect.stringMatching(/^stator\.kv_events\.[0-9a-f]{16}$/)],
      gaps: 0,
    });

    // What one gateway has sent somewhere, the other knows.
    const first = await overlap(cluster.url, prompt("First"));
    expect(first.blocks).toBe(0);
    await until(async () => (await batches(other.url, first.worker)) > 0);
    const second = await overlap(other.url, prompt("First"));
    expect(second).toEqual({ worker: first.worker, blocks: expect.any(Number) });
    expect(second.blocks).toBeGreaterThan(10);

    // A gateway that starts later knows it from the stream.
    const late = await Cluster.start(url, events);
    await until(async () => (await batches(late.url, first.worker)) > 0);
    expect((await overlap(late.url, prompt("First"))).worker).toBe(first.worker);

    // A worker without the option is followed over the request plane.
    await start("plain");
    expect((await described(other.url)).get("plain")?.kind).toBe("plane");

    const doctor = new StatorProcess(["doctor", "--config=none", `--discovery=${url}`, events]);
    expect(await doctor.ended()).toBe(0);
    const text = doctor.stdout.replaceAll(/\n {6,}/g, " ");
    expect(text).toMatch(
      /stream of KV events\n +ok +It exists: stator-kv-events, with \d+ messages in [\d.]+ (bytes|kB|MB)/,
    );
    expect(text).toMatch(
      /ok +The worker one publishes there: \d+ batches, of which \d+ have not arrived yet/,
    );
    expect(text).toMatch(/note +The worker plain does not publish there/);

    // While NATS is away, events come from the workers; afterwards again from the stream.
    await nats.kill();
    await cluster.gateway.printed(/the stream of KV events is unreachable/);
    const during = await overlap(cluster.url, prompt("During"));
    expect(during.blocks).toBe(0);
    await until(async () => (await overlap(other.url, prompt("During"))).blocks > 10);
    const kind = async () => (await described(other.url)).get("one")?.kind;
    expect((await described(other.url)).get("one")).toMatchObject({
      kind: "plane",
      endpoints: [expect.stringMatching(/^tcp:/)],
      is_connected: true,
    });
    nats.loseData();
    await nats.resume();
    await cluster.gateway.printed(/the stream of KV events is reachable again/);
    await one.printed(/KV events reach NATS again/);
    await until(async () => (await kind()) === "stream");
    expect(one.stderr.match(/they come from the workers/g)).toBeNull();
    expect(one.stderr.match(/KV events do not reach NATS/g)).toHaveLength(1);
    expect(cluster.gateway.stderr.match(/the stream of KV events is unreachable/g)).toHaveLength(1);
    const after = await overlap(cluster.url, prompt("After"));
    await until(async () => (await overlap(other.url, prompt("After"))).worker === after.worker);

    // Nothing is left of a worker that dies.
    one.signal("SIGKILL");
    await until(async () => (await described(cluster.url)).get("one")?.is_connected !== true);
    expect((await overlap(cluster.url, prompt("First"))).worker).not.toBe("one");
  },
);

test.runIf(hasNats)("a gateway on the stream knows what one that asks the workers knows", async () => {
  await using nats = await startNats();
  const events = `--events=nats://${nats.host}`;
  const discovery = `file:${folder}/oracle`;
  const cluster = await Cluster.start(discovery, events);
  const asking = await Cluster.start(discovery);
  const names = ["m-0", "m-1", "m-2", "m-3"];
  // So few blocks that most requests also remove some.
  cluster.engine("mocker", "m", ...mocker, "--workers=4", "--total-blocks=400", events);
  const stored = (url: string) =>
    Promise.all(names.map((worker) => metric(url, "stator_worker_stored_blocks", { worker })));
  const load = async (round: number) => {
    for (let index = 0; index < 20; index++)
      await Promise.all(
        [cluster, asking].map(({ url }, gateway) => overlap(url, prompt(`${round} ${index} ${gateway}`))),
      );
  };
  for (const { url } of [cluster, asking])
    for (const name of names)
      await until(async () => (await described(url)).get(name)?.is_connected === true);
  for (const [round, losesData] of [false, true, false].entries()) {
    await load(round);
    await nats.kill();
    await load(round + 10);
    if (losesData) nats.loseData();
    await nats.resume();
    await load(round + 20);
    const late = await Cluster.start(discovery, events);
    const known = await stored(asking.url);
    expect(Math.min(...known)).toBeGreaterThan(0);
    for (const { url } of [cluster, late])
      await until(async () => JSON.stringify(await stored(url)) === JSON.stringify(await stored(asking.url)));
    expect(await late.gateway.stop()).toBe(0);
  }
  await until(async () => {
    const all = await described(cluster.url);
    return names.every((name) => all.get(name)?.kind === "stream");
  });
});

test.runIf(hasNats)("private KV events pass through a stream too", async () => {
  await using nats = await startNats();
  const url = `nats://${nats.host}`;
  const key = join(folder, "key");
  writeFileSync(key, randomBytes(32));
  const flags = [`--events=${url}`, "--private-kv-events", `--kv-events-key=${key}`];
  const cluster = await Cluster.start(url, ...flags);
  const other = await Cluster.start(url, ...flags);
  const workers = ["one", "two"];
  for (const name of workers) cluster.engine("mocker", name, ...mocker, ...flags);
  for (const gateway of [cluster, other])
    for (const name of workers)
      await until(async () => (await described(gateway.url)).get(name)?.is_connected === true);
  const first = await overlap(cluster.url, prompt("Secret"));
  await until(async () => (await batches(other.url, first.worker)) > 0);
  const second = await overlap(other.url, prompt("Secret"));
  expect(second.worker).toBe(first.worker);
  expect(second.blocks).toBeGreaterThan(10);
  expect((await described(other.url)).get(first.worker)).toMatchObject({ kind: "stream", gaps: 0 });
});

test.runIf(hasNats)(
  "a worker that may not publish to the stream is served all the same, and is told why",
  async () => {
    const config = join(folder, "nats.conf");
    writeFileSync(
      config,
      `authorization { users: [
      { user: admin, password: admin }
      { user: ro, password: ro, permissions: { publish: { deny: ["stator.kv_events.>"] }, subscribe: ">" } }
    ] }`,
    );
    await using nats = await startNatsWith((data) => ["-js", "-sd", data, "-c", config]);
    const discovery = `file:${folder}/refused`;
    const events = `--events=nats://admin:admin@${nats.host}`;
    const cluster = await Cluster.start(discovery, events);
    const other = await Cluster.start(discovery, events);
    const place = ["--ops-port=0", `--events=nats://ro:ro@${nats.host}`];
    const worker = cluster.engine("mocker", "one", ...mocker, ...place);
    await worker.printed(
      /KV events do not reach NATS;.*permissions violation: the worker's NATS user may not publish/,
    );
    const known = async (url: string, text: string) => (await overlap(url, text)).blocks > 10;
    for (const [index, { url }] of [cluster, other].entries()) {
      await until(async () => {
        const { kind, is_connected: isConnected } = (await described(url)).get("one") ?? {};
        return kind === "plane" && isConnected === true;
      });
      await overlap(cluster.url, prompt(`Refused ${index}`));
      await until(() => known(other.url, prompt(`Refused ${index}`)));
    }
    const ops = (await worker.printed(/worker is ready.* ops=(http:\S+)/))[1]!;
    expect(await metric(ops, "stator_worker_kv_events_stream_reachable", {})).toBe(0);
    const doctor = new StatorProcess(["doctor", "--config=none", `--discovery=${discovery}`, events]);
    expect(await doctor.ended()).toBe(1);
    expect(doctor.stdout.replaceAll(/\n {6,}/g, " ")).toMatch(
      /The worker one cannot be heard there.*Its log says why its KV events do not reach NATS/,
    );
    expect(worker.stderr.match(/KV events do not reach NATS/g)).toHaveLength(1);
  },
);

test("a worker and a gateway with --events and nobody there say so and end", async () => {
  const commands = [
    ["worker", "mocker"],
    ["gateway", "--port=0"],
  ].map(
    (command) =>
      new StatorProcess([
        ...command,
        "--config=none",
        `--discovery=file:${folder}/d`,
        "--events=nats://127.0.0.1:1",
      ]),
  );
  for (const command of commands) {
    await command.printed(/waiting for NATS, which --events names.*refused/i);
    expect(await command.ended()).toBe(2);
    expect(command.stderr).toMatch(/--events: NATS at 127\.0\.0\.1:1: .*refused/i);
  }
});
