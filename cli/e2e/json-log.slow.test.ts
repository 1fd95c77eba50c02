import { createServer } from "node:net";
import { expect, test } from "vitest";
import { StatorProcess, startUp } from "./stator-process.ts";

/** A process's output, each line parsed. */
const linesOf = ({ stdout, stderr }: StatorProcess) =>
  `${stdout}${stderr}`.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));

const json = "--log-format=json";

test("stator up prints only JSON", async () => {
  const stator = startUp("--engine=echo", "--workers=1", json);
  const url = await stator.url();
  expect(await stator.stop()).toBe(0);
  const lines = linesOf(stator);
  expect(lines).toContainEqual(
    expect.objectContaining({
      level: "info",
      name: "stator",
      message: `Stator serves echo at ${url}/v1 with 1 worker.`,
      model: "echo",
      url,
      workers: { "echo-0": expect.stringMatching(/^http:/) },
    }),
  );
  expect(lines.at(-1)).toMatchObject({ message: "stopped", exitCode: 0 });
});

test("errors at start-up are JSON too", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const stator = new StatorProcess(["up", `--port=${port}`, "--config=none", "--engine=echo", json]);
  expect(await stator.ended()).not.toBe(0);
  server.close();
  expect(linesOf(stator)).toMatchObject([{ level: "error", message: expect.stringContaining(String(port)) }]);
});

test("Node's own warnings are JSON too", async () => {
  // Emitted as soon as there is a listener, which is before any code that could cause a warning.
  const script =
    "process.on('newListener',(name)=>name==='warning'&&setImmediate(()=>process.emitWarning('odd')))";
  const args = ["worker", "echo", "--discovery=memory:json-log", json];
  const stator = new StatorProcess(args, { NODE_OPTIONS: `--import data:text/javascript,${script}` });
  await stator.printed(/odd/);
  await stator.printed(/worker is ready/);
  expect(await stator.stop()).toBe(0);
  expect(linesOf(stator)).toContainEqual(expect.objectContaining({ level: "warn", message: "Warning: odd" }));
});

test("stator attach logs a line instead of printing its table", async () => {
  const stator = new StatorProcess(["attach", "http://127.0.0.1:1", "--port=0", "--config=none", json]);
  const [, url] = await stator.printed(/Send requests to (http:\S+)\/v1:/);
  expect(await stator.stop()).toBe(0);
  expect(linesOf(stator)).toContainEqual(
    expect.objectContaining({
      message: `Send requests to ${url}/v1: 0 of 1 engines are ready.`,
      engines: [expect.objectContaining({ name: "127.0.0.1:1", state: "down", models: [], limitations: [] })],
    }),
  );
});
