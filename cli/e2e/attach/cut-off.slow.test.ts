import { afterAll, beforeAll, expect, test } from "vitest";
import { attach } from "../access/attached.ts";
import { StandInProcess } from "./stand-in-process.ts";

let engine: StandInProcess;

beforeAll(async () => {
  engine = await StandInProcess.start("vllm", "--inter-token-ms=50");
});

afterAll(() => engine.kill());

test.each([
  ["one process", []],
  ["two processes", ["--processes=2"]],
])("a stream that outlasts --drain-timeout ends with an error event, in %s", async (_what, processes) => {
  const { stator, url } = await attach([engine.url], "--drain-timeout=0.2", ...processes);
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "tiny", prompt: "a", stream: true, max_tokens: 4000, ignore_eos: true }),
  });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = (await reader.read()).value ?? "";
  const stopped = stator.stop();
  for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value;
  expect(JSON.parse(text.trim().split("\n\n").at(-1)!.slice("data: ".length))).toMatchObject({
    error: { code: "gateway_stops" },
  });
  expect(await stopped).toBe(0);
  expect(stator.stderr).toMatch(/requests were cut off.*count=1/);
});
