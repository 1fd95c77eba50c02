import { execFile } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { family, gone } from "../cli/e2e/process-family.ts";
import { StatorProcess } from "../cli/e2e/stator-process.ts";
import { hasEtcd, startEtcd } from "../runtime/discovery/etcd/test-etcd.ts";
import { hasNats, startNats } from "../runtime/testing/nats-server.ts";
import { temporaryFolder } from "../scripts/testing/temporary-folder.ts";

const run = promisify(execFile);
const folder = temporaryFolder();

interface Store extends AsyncDisposable {
  readonly url: string;
}

const stores: [string, boolean, () => Promise<Store>][] = [
  ["file", true, async () => ({ url: `file:${folder}/store`, [Symbol.asyncDispose]: async () => {} })],
  ["etcd", hasEtcd, async () => disposing(await startEtcd(), "etcd")],
  ["nats", hasNats, async () => disposing(await startNats(), "nats")],
];

const disposing = (server: AsyncDisposable & { readonly host: string }, kind: string): Store => ({
  url: `${kind}://${server.host}`,
  [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
});

/** Runs an example as `npm run example` does. */
const example = (name: string, ...args: string[]) =>
  run("npm", ["run", "-s", "example", `examples/${name}`, "--", ...args]);

describe.each(stores)("on %s", (_, isThere, start) => {
  test.runIf(isThere)("hello-world prints the words and ends", async () => {
    await using store = await start();
    const { stdout } = await example("hello-world", "--discovery", store.url);
    expect(stdout).toBe("Hello,\ndistributed\nworld!\n");
  });

  test.runIf(isThere)("custom-engine finds what is cached", async () => {
    await using store = await start();
    const { stdout } = await example("custom-engine", "--discovery", store.url);
    const lines = stdout.trim().split("\n");
    expect(lines).toHaveLength(3);
    const workers = lines.map((line) => /^(one|two) answers/.exec(line)?.[1]);
    expect(new Set(workers).size).toBe(1);
    expect(lines[0]).toContain('"LIVED THERE?": 0 of 33 blocks were cached');
    expect(lines[1]).toContain('"HERE WAS IT?": 32 of 33 blocks were cached');
    expect(lines[2]).toContain('"HERE WAS IT?": 33 of 33 blocks were cached');
  });
});

describe("custom-engine", () => {
  const discovery = `file:${folder}/shared`;
  /** Gateways cannot reach a worker with this address. */
  const lost = { STATOR_ADVERTISE: "127.0.0.1:1" };

  test("waits for its own workers, whatever others there are", async () => {
    const other = new StatorProcess(["worker", "echo", "--config=none", `--discovery=${discovery}`]);
    await other.printed(/worker is ready/);
    const { stdout } = await example("custom-engine", "--discovery", discovery);
    expect(stdout.trim().split("\n")).toHaveLength(3);
    expect(await other.stop()).toBe(0);
  });

  test("says so if the gateway does not reach them", async () => {
    const args = ["run", "-s", "example", "examples/custom-engine", "--", "--discovery", discovery];
    const failed = run("npm", args, { env: { ...process.env, ...lost } });
    await expect(failed).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /^The gateway has not reached both workers within \d+ s: .*127\.0\.0\.1:1\.\n$/,
      ),
    });
  });

  test.each([
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const)("leaves nothing behind on %s", async (signal, code) => {
    const temporary = join(folder, signal);
    mkdirSync(temporary);
    const started = new StatorProcess([], { ...lost, TMPDIR: temporary }, [
      process.execPath,
      "examples/custom-engine/main.ts",
    ]);
    await expect.poll(() => family(started.pid).length).toBe(4);
    const all = family(started.pid);
    expect(readdirSync(temporary)).toHaveLength(1);
    started.signal(signal);
    expect(await started.ended()).toBe(code);
    await gone(all);
    expect(readdirSync(temporary)).toEqual([]);
  });
});

test.each(["hello-world", "custom-engine"])("%s says once that its store cannot be used", async (name) => {
  const failed = await example(name, "--discovery", "file:/dev/null/x").catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: 1, stdout: "" });
  const { stderr } = failed as { stderr: string };
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect(stderr).toContain("/dev/null/x");
});

test.each(["hello-world", "hello-world/call.ts", "custom-engine"])("%s explains itself", async (name) => {
  const { stdout, stderr } = await example(name, "--help");
  expect(stdout).toMatch(/^[A-Z].*npm run example examples\/.* -- --discovery/s);
  expect(stdout).not.toContain("*/");
  expect(stderr).toBe("");
});

test("an example refuses an unknown option with a sentence", async () => {
  const failed = await example("hello-world", "--bogus").catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: 1, stderr: expect.stringMatching(/^Unknown option '--bogus'.*\n$/) });
});

test("without arguments, hello-world uses files of its own", async () => {
  expect((await example("hello-world")).stdout).toBe("Hello,\ndistributed\nworld!\n");
});

test("an example that is not there is refused", async () => {
  await expect(example("nothing")).rejects.toMatchObject({ code: 2 });
});

test.each([
  [["--discovery"], "argument missing"],
  [[], "--discovery is required"],
  [["--discovery=redis:x"], "redis"],
  [["--discovery=file:/tmp/x", "--log-level=loud"], "--log-level must be one of"],
  [["--discovery=file:/tmp/x", "--colour=red"], "--colour"],
])("a service run with %j says what is wrong", async (args, message) => {
  const running = run(process.execPath, ["examples/hello-world/serve.ts", ...args]);
  await expect(running).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
});
