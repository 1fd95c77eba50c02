import { existsSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createLogger } from "#runtime";
import { temporaryFolder } from "../../scripts/testing/temporary-folder.ts";
import { type HubStandIn, serveFromHub, startHub } from "../models/testing/hub.ts";
import { readOptions } from "../options/read.ts";
import { workerOptions } from "../options/tables.ts";
import { readEngineOptions } from "./worker-options.ts";

let hub: HubStandIn;
beforeEach(async () => {
  hub = await startHub(serveFromHub());
});
afterEach(() => hub.close());

const folder = temporaryFolder();
const log = createLogger({ name: "test", write: () => {} });
const readFor = (engine: string, ...flags: string[]) => {
  const argv = ["--config=none", `--model-folder=${folder}`, "--log-format=json", ...flags];
  return readEngineOptions(engine, readOptions(workerOptions, argv, {}).options, log);
};
const read = (...flags: string[]) => readFor("llama", ...flags);

test("a model of the catalogue has its names and parsers", async () => {
  expect(await read("--model=qwen3:0.6b", "--alias=small")).toMatchObject({
    engineOptions: { modelName: "qwen3:0.6b", aliases: ["Qwen3-0.6B-Q8_0", "small"] },
    parsers: { toolParser: "hermes", reasoningParser: "qwen3" },
  });
});

test("flags override its names and parsers", async () => {
  const flags = ["--model-name=chat", "--tool-parser=json", "--reasoning-parser=none"];
  expect(await read("--model=qwen3:0.6b", ...flags)).toMatchObject({
    engineOptions: { modelName: "chat", aliases: [] },
    parsers: { toolParser: "json", reasoningParser: "none" },
  });
});

test("the template decides for a model that is not in the catalogue", async () => {
  expect(await read("--model=hf:owner/repo/tiny.gguf")).toMatchObject({
    engineOptions: { modelName: "tiny", aliases: [] },
    parsers: { toolParser: undefined, reasoningParser: undefined },
  });
});

test("a projector comes from the hub as models do, or from a file", async () => {
  const fetched = await read("--model=hf:owner/repo/tiny.gguf", "--mmproj=hf:owner/repo/mmproj.gguf");
  expect(fetched.engineOptions.mmproj).toMatch(/-mmproj\.gguf$/);
  expect(existsSync(fetched.engineOptions.mmproj!)).toBe(true);
  const given = await read("--model=hf:owner/repo/tiny.gguf", "--mmproj=./mmproj.gguf");
  expect(given.engineOptions.mmproj).toBe("./mmproj.gguf");
});

test("a projector is refused by other engines than llama, unless they are an operator's own", async () => {
  await expect(readFor("mocker", "--mmproj=./mmproj.gguf")).rejects.toThrow(
    "--mmproj: only the llama engine takes a projector, and the mocker engine does not.",
  );
  expect((await readFor("seer", "--mmproj=./mmproj.gguf")).engineOptions.mmproj).toBe("./mmproj.gguf");
});
