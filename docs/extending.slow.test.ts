import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

// Carries out the steps of extending.md in a copy of the project.

const run = promisify(execFile);
const root = join(import.meta.dirname, "..");
/** What a gateway is made of. */
const ROOMS = [
  "gateway",
  "proto",
  "router-wasm",
  "runtime",
  "workers",
  "scripts",
  "package.json",
  "tsconfig.json",
];

let copy: string;

beforeAll(async () => {
  copy = await mkdtemp(join(tmpdir(), "stator-extending-"));
  for (const room of ROOMS) await cp(join(root, room), join(copy, room), { recursive: true });
  await symlink(join(root, "node_modules"), join(copy, "node_modules"));
  const page = await readFile(join(root, "docs", "extending.md"), "utf8");
  const blocks = [...page.matchAll(/^```(ts|diff)\n\/\/ (\S+)\n(.*?)^```$/gms)];
  expect(blocks.length).toBeGreaterThanOrEqual(7);
  for (const [, kind, path, text] of blocks) {
    const file = join(copy, path!);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, kind === "ts" ? text! : changed(await readFile(file, "utf8"), text!));
  }
});

afterAll(() => rm(copy, { recursive: true, force: true }));

/** Applies a diff to a file: removes `-` lines, inserts `+` lines after their context, and imports at the top. */
function changed(before: string, change: string): string {
  let after = before;
  let at = 0;
  for (const line of change.split("\n").filter((each) => each !== "")) {
    const [sign, text] = [line[0], line.slice(1)];
    if (sign === "+") {
      const isImport = text.startsWith("import ");
      const where = isImport ? 0 : at;
      after = `${after.slice(0, where)}${text}\n${after.slice(where)}`;
      at = isImport ? at + text.length + 1 : where + text.length + 1;
      continue;
    }
    const found = after.indexOf(`${text}\n`);
    expect(found, `there is no line ${JSON.stringify(text)}`).toBeGreaterThanOrEqual(0);
    if (sign === "-") after = after.slice(0, found) + after.slice(found + text.length + 1);
    at = sign === "-" ? found : found + text.length + 1;
  }
  return after;
}

/** What a script prints, in the copy, as JSON. */
async function answerOf(script: string): Promise<unknown> {
  const file = join(copy, "try.ts");
  await writeFile(file, script);
  const { stdout } = await run(process.execPath, [file], { cwd: copy });
  return JSON.parse(stdout);
}

test("the engine is recognised, and asked for its load", async () => {
  const found = await answerOf(`
    import { createServer } from "node:http";
    import { createEngineApi, probeEngine } from "./gateway/engines/index.ts";
    const answers = {
      "/acme/status": { version: "3", running: 5, block_size: 32 },
      "/v1/models": { data: [{ id: "tiny" }] },
    };
    const server = createServer(({ url }, response) => {
      response.writeHead(url in answers ? 200 : 404, { "content-type": "application/json" });
      response.end(JSON.stringify(answers[url] ?? {}));
    }).listen(0, "127.0.0.1", async () => {
      const api = createEngineApi("http://127.0.0.1:" + server.address().port);
      const { adapter, profile: { kind, blockSize, models } } = await probeEngine(api);
      const { running } = await adapter.readLoad(api);
      console.log(JSON.stringify({ kind, blockSize, models: models.map(({ name }) => name), running }));
      server.close();
      server.closeAllConnections();
    });
  `);
  expect(found).toEqual({ kind: "acme", blockSize: 32, models: ["tiny"], running: 5 });
});

test("the policy is one of the gateway's, and keeps a tenant on one worker", async () => {
  const answer = await answerOf(`
    import { readFileSync } from "node:fs";
    import { createRouter } from "#router-wasm";
    import { Chooser, exactPrompt, NO_PREFERENCES, POLICIES, POLICY_NAMES, Selection } from "#gateway";
    const module = new WebAssembly.Module(readFileSync("router-wasm/router.wasm"));
    const core = createRouter(module, { blockSize: 16 });
    const roster = [1, 2, 3, 4].map((id) => ({ worker: { instance: { id: "worker-" + id } }, rank: 0, index: core.addWorker() }));
    const chooser = new Chooser(core, POLICIES["tenant-packing"], [], () => 0.5);
    const workersOf = (tenant) => {
      const request = { prompt: exactPrompt(new Uint32Array(32)), preferences: { ...NO_PREFERENCES, tenant } };
      const chosen = [1, 2, 3].map(() => chooser.choose(request, new Selection(), roster, 1, true).worker);
      return new Set(chosen).size;
    };
    console.log(JSON.stringify({ isKnown: POLICY_NAMES.includes("tenant-packing"), workers: ["ann", "bob", "eve"].map(workersOf) }));
  `);
  expect(answer).toEqual({ isKnown: true, workers: [1, 1, 1] });
});

test("the endpoint passes to engines, and is described", async () => {
  const answer = await answerOf(`
    import { endpointOf, methodsOf } from "./gateway/api/endpoints.ts";
    import { openApiDocument } from "./gateway/api/ops/openapi.ts";
    const path = "/v1/translate";
    const described = Object.keys(openApiDocument("1").paths[path]);
    console.log(JSON.stringify({ name: endpointOf(path).name, methods: methodsOf(path), described }));
  `);
  expect(answer).toEqual({ name: "translate", methods: ["POST"], described: ["post"] });
});

test("the discovery backend opens by its URL", async () => {
  const answer = await answerOf(`
    import { openDiscovery } from "#runtime/node";
    const discovery = await openDiscovery('list:{"instances/1":{"name":"one"},"other/2":2}');
    const events = [];
    await discovery.watch("instances/", (event) => events.push([event.type, ...event.entries]));
    console.log(JSON.stringify(events));
  `);
  expect(answer).toEqual([["snapshot", ["instances/1", { name: "one" }]]]);
});

test("all of it type-checks, and the arrows hold", async () => {
  await rm(join(copy, "try.ts"), { force: true });
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const files = [
    "gateway/engines/acme.ts",
    "gateway/routing/policies/policies.ts",
    "gateway/api/endpoints.ts",
    "runtime/discovery/open.ts",
  ];
  const config = { extends: "./tsconfig.json", include: [], files };
  await writeFile(join(copy, "tsconfig.extending.json"), JSON.stringify(config));
  await run(process.execPath, [tsc, "--noEmit", "-p", "tsconfig.extending.json"], { cwd: copy });
  const { stdout } = await run(process.execPath, ["scripts/check-arrows.ts"], { cwd: copy });
  expect(stdout).toContain("All import arrows hold.");
});
