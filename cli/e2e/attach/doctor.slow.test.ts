import { expect, test } from "vitest";
import { startVllm } from "#stand-ins";
import { refusalOf } from "../refusal.ts";
import { StatorProcess } from "../stator-process.ts";
import { startOwnGateway } from "../workers/own-gateway.ts";
import { Reciter } from "../workers/reciter.ts";

const doctor = (...args: string[]) => new StatorProcess(["doctor", "--config=none", ...args]);

test("stator doctor exits with 0 if all is well, and says so", async () => {
  await using vllm = await startVllm({ kvEvents: { replayPort: 0 } });
  const stator = doctor(vllm.url);
  expect(await stator.ended()).toBe(0);
  expect(stator.stdout).toContain("All is well");
  expect(stator.stderr).toBe("");
});

test("stator doctor exits with 1 if something is wrong, and names the engine and the flag", async () => {
  await using one = await startVllm({ kvEvents: { replayPort: 0 } });
  await using other = await startVllm();
  const stator = doctor(one.url, other.url);
  expect(await stator.ended()).toBe(1);
  expect(stator.stdout).toContain("--kv-events-config '{");
  expect(stator.stdout).toContain(`1 problem found: ${new URL(other.url).host}.`);
});

test("stator doctor --json prints the same as JSON", async () => {
  await using vllm = await startVllm();
  // The switch does not consume the next argument.
  const stator = doctor("--json", vllm.url);
  expect(await stator.ended()).toBe(1);
  expect(JSON.parse(stator.stdout)).toMatchObject({
    isWell: false,
    engines: [{ engine: { url: vllm.url }, checks: expect.anything() }],
    together: [],
  });
});

test("stator doctor examines the engines of a running gateway by its address", async () => {
  await using one = await startVllm({ kvEvents: { replayPort: 0 } });
  await using other = await startVllm();
  const gateway = new StatorProcess(["attach", "--port=0", "--config=none", one.url, other.url]);
  const [url] = await gateway.printed(/http:\/\/[^/ ]+(?=\/v1:)/);
  const stator = doctor("--json", url);
  expect(await stator.ended()).toBe(1);
  const { engines } = JSON.parse(stator.stdout);
  expect(engines).toMatchObject([{ engine: { url: one.url } }, { engine: { url: other.url } }]);
  await gateway.stop();
});

test("stator doctor says so if a gateway has no engines, but workers of its own", async () => {
  const { url } = await startOwnGateway({ engine: new Reciter("plain") });
  const { code, stderr } = await refusalOf("doctor", "--config=none", url);
  expect(code).toBe(2);
  expect(stderr).toContain("is a gateway with workers of its own and no engines");
});

test.each([
  ["no address", [], "No engines given. Try: stator doctor http://"],
  ["an invalid address", ["http://"], "is not the address of an engine"],
  ["an unknown option", ["--jsn"], "Did you mean --json?"],
])("stator doctor ends with 2 for %s", async (_, args, message) => {
  const { code, stderr } = await refusalOf("doctor", "--config=none", ...args);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
});
