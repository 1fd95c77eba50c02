import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { TestEngine } from "../../../gateway/adapters/node/test-gateway.ts";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { StatorProcess } from "../stator-process.ts";

// `stator up` says that it serves once its own workers do, whatever else happens meanwhile.

const folder = temporaryFolder();

const up = (workers: number, env: NodeJS.ProcessEnv) =>
  new StatorProcess(
    [
      "up",
      ...["--port=0", "--config=none", "--log-level=debug"],
      ...["--engine=cli/e2e/workers/frail.ts", `--workers=${workers}`],
    ],
    env,
  );

test("a worker that dies before the announcement is restarted, and then announced", async () => {
  const stator = up(1, { DEATH: join(folder, "death") });
  await stator.url();
  expect(stator.stderr).toMatch(/restarting it child=frail-0 reason="exit code 1"/);
  const [, health] = await stator.printed(/frail-0 +(\S+\/health)/);
  expect((await fetch(health!)).status).toBe(200);
  expect(await stator.stop()).toBe(0);
});

test("engines that are attached while the workers start do not delay the announcement", async () => {
  const engine = await TestEngine.start(["other"]);
  const gate = join(folder, "gate");
  const stator = up(2, { GATE: gate });
  const [, url] = await stator.printed(/listening url=(\S+)/);
  const attached = await fetch(`${url}/admin/workers`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ url: engine.url, name: "engine" }),
  });
  expect(await attached.json()).toMatchObject({ state: "ready" });
  writeFileSync(gate, "");
  expect(await stator.url()).toBe(url);
  const { models } = await (await fetch(`${url}/health`)).json();
  const states = models.flatMap(({ workers }: { workers: object[] }) => workers);
  expect(states).toContainEqual({ name: "engine", kind: "engine", status: "ready" });
  expect(states).toContainEqual({ name: "frail-1", kind: "worker", status: "ready" });
  expect(await stator.stop()).toBe(0);
  engine.close();
});
