import { expect, onTestFinished, test } from "vitest";
import { createLogger } from "#runtime";
import { startTestGateway } from "./test-gateway.ts";

test("a gateway attached to itself reports once that its requests loop back", async () => {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line));
  const log = createLogger({ name: "test", level: "debug", format: "json", write });
  const gateway = await startTestGateway([], { log, health: { firstRetryMs: 1, lastRetryMs: 1 } });
  onTestFinished(() => gateway.drain(0));
  const attached = await fetch(`${gateway.url}/admin/workers`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ url: gateway.url, name: "itself" }),
  });
  expect(await attached.json()).toMatchObject({ state: "down" });
  const levels = () => lines.filter(({ code }) => code === "loop_detected").map(({ level }) => level);
  await expect.poll(levels).toContain("debug");
  expect(levels().filter((level) => level !== "debug")).toEqual(["warn"]);
});
