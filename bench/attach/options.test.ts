import { expect, it } from "vitest";
import { readOptions } from "./options.ts";

it("omits sglang-router by default", () => {
  expect(readOptions([])?.contenders).toEqual(["nothing", "pipe", "vllm-router", "stator"]);
  expect(readOptions(["--peers"])?.contenders).toContain("sglang-router");
  expect(readOptions(["--only", "stator,vllm-router"])?.contenders).toEqual(["vllm-router", "stator"]);
  expect(() => readOptions(["--only", "nginx"])).toThrow("not 'nginx'");
});

it("accepts a command to use instead of ours", () => {
  expect(readOptions(["--ours", "run {url} --port={port}"])?.ours).toEqual(["run", "{url}", "--port={port}"]);
  expect(() => readOptions(["--ours", "run {url}"])).toThrow("{port}");
});
