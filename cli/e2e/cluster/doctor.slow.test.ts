import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openDiscovery } from "#runtime/node";
import { hasEtcd, startEtcd } from "../../../runtime/discovery/etcd/test-etcd.ts";
import { hasNats, startNats, startPlainNats } from "../../../runtime/testing/nats-server.ts";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { StatorProcess } from "../stator-process.ts";
import { Cluster } from "./cluster.ts";

// The doctor on a cluster.

const folder = temporaryFolder();

async function examine(...flags: string[]): Promise<{ code: unknown; text: string }> {
  const doctor = new StatorProcess(["doctor", "--config=none", "--timeout=5", ...flags]);
  const code = await doctor.ended();
  return { code, text: (doctor.stdout + doctor.stderr).replaceAll(/\n {6,}/g, " ") };
}

test.runIf(hasEtcd)("finds that all is well, and what is not", async () => {
  await using etcd = await startEtcd();
  const discovery = `etcd://${etcd.host}`;
  const cluster = await Cluster.start(discovery);
  await cluster.join("one");
  const well = await examine(`--discovery=${discovery}`);
  expect(well.text).toMatch(/discovery\n +ok +It can be reached\./);
  expect(well.text).toMatch(/It can be written, and tells of changes \(\d+ ms/);
  expect(well.text).toMatch(/worker one\n +ok +It can be reached from here at tcp:127\.0\.0\.1:\d+/);
  expect(well.text).toMatch(/It publishes no KV events: what its cache holds is predicted/);
  expect(well.text).toMatch(/1 worker and 1 gateway have registered/);
  expect(well.text).toMatch(/All are of version \d+\.\d+\.\d+/);
  expect(well.text).toContain("All is well");
  expect(well.code).toBe(0);

  const writer = await openDiscovery(discovery);
  await writer.put("instances/lost", { id: "0".repeat(16), name: "lost", address: "tcp:127.0.0.1:1" });
  await writer.put("instances/odd", "what?");
  const ill = await examine(`--discovery=${discovery}`, "--json");
  expect(ill.code).toBe(1);
  const { subjects, isWell } = JSON.parse(ill.text);
  expect(isWell).toBe(false);
  expect(subjects).toContainEqual({
    name: "worker lost",
    checks: [
      expect.objectContaining({
        status: "problem",
        text: expect.stringContaining("nothing listens there"),
        fix: expect.stringContaining("--advertise"),
      }),
    ],
  });
  expect(subjects).toContainEqual({
    name: "worker instances/odd",
    checks: [expect.objectContaining({ status: "problem" })],
  });
  await writer.close();
});

test.runIf(hasNats)("examines NATS, with JetStream and without", async () => {
  await using nats = await startNats();
  const well = await examine(`--discovery=nats://${nats.host}`);
  expect(well.text).toMatch(/NATS\n +ok +It answers within \d+ ms\.\n +ok +It has JetStream/);
  expect(well.text).toContain("No worker has registered");
  expect(well.code).toBe(0);
  await using plain = await startPlainNats();
  const half = await examine(`--discovery=file:${folder}/store`, `--nats=nats://${plain.host}`);
  expect(half.text).toContain("It has no JetStream");
  expect(half.code).toBe(0);
});

test("finds private KV events of two keys", async () => {
  const discovery = `file:${folder}/keys`;
  const secrets = ["one", "two"].map((name) => {
    const path = join(folder, name);
    writeFileSync(path, name.repeat(8));
    return path;
  });
  const startWorker = async (name: string, secret?: string) => {
    const key = secret === undefined ? [] : [`--kv-events-key=${secret}`];
    const flags = ["--config=none", `--discovery=${discovery}`, "--speedup=0", ...key];
    const worker = new StatorProcess(["worker", "mocker", `--name=${name}`, ...flags]);
    await worker.printed(/worker is ready/);
    return worker;
  };
  const one = await startWorker("one", secrets[0]!);
  expect((await examine(`--discovery=${discovery}`)).text).toMatch(/have one key, [0-9a-f]{16}\./);
  const gateway = new StatorProcess(["gateway", "--port=0", "--config=none", `--discovery=${discovery}`]);
  const open = await startWorker("open");
  await gateway.printed(/listening/);
  const mixed = await examine(`--discovery=${discovery}`);
  expect(mixed.text).toMatch(
    /one key, which not all gateways have: [0-9a-f]{16} \(worker one\), none \(gateway \w+\)/,
  );
  expect(mixed.text).toMatch(/some workers have no key: worker open\./);
  for (const process of [gateway, open]) expect(await process.stop()).toBe(0);
  const two = await startWorker("two", secrets[1]!);
  const { code, text } = await examine(`--discovery=${discovery}`);
  expect(text).toMatch(
    /Private KV events have 2 keys: [0-9a-f]{16} \(worker \w+\), [0-9a-f]{16} \(worker \w+\)/,
  );
  expect(code).toBe(1);
  for (const worker of [one, two]) expect(await worker.stop()).toBe(0);
});

test("says that a store cannot be used, and exits with 1", async () => {
  const { code, text } = await examine("--discovery=file:/dev/null/x");
  expect(code).toBe(1);
  expect(text).toMatch(/discovery\n +WRONG +It cannot be used: .*\/dev\/null\/x/);
});
