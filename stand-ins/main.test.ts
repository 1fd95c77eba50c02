import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";
import { events, post, textOf } from "./test-client.ts";

test("a stand-in runs as a process, which can be killed and restarted on the same ports", async () => {
  const run = async (...args: string[]) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, "main.ts"), "vllm", ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    const [line] = await once(createInterface(child.stdout), "line");
    const { url, port, kvEvents } = JSON.parse(String(line));
    return {
      child,
      url: String(url),
      port: String(port),
      kvPort: String(kvEvents[0].endpoint).split(":")[2]!,
    };
  };
  const first = await run("--kv-port", "0", "--model", "m");
  const text = () => textOf(post(`${first.url}/v1/completions`, { model: "m", prompt: "x" }));
  const before = await text();
  first.child.kill("SIGKILL");
  await once(first.child, "exit");
  const second = await run("--kv-port", first.kvPort, "--model", "m", "--port", first.port);
  expect(await text()).toBe(before);
  await post(`${second.url}/stand-in/faults`, { crashAfterTokens: 3 });
  await expect(
    events(post(`${second.url}/v1/completions`, { model: "m", prompt: "x", stream: true })),
  ).rejects.toThrow();
  if (second.child.exitCode === null) await once(second.child, "exit");
  expect(second.child.exitCode).toBe(1);
});
