import { expect, it } from "vitest";
import { readOptions } from "./options.ts";

it("leaves sglang-router out unless asked for", () => {
  expect(readOptions([])?.contenders).toEqual(["nothing", "pipe", "vllm-router", "stator"]);
  expect(readOptions(["--peers"])?.contenders).toContain("sglang-router");
  expect(readOptions(["--only", "stator,vllm-router"])?.contenders).toEqual(["vllm-router", "stator"]);
  expect(() => readOptions(["--only", "nginx"])).toThrow("not 'nginx'");
});

it("takes a command in place of ours", () => {
  expect(readOptions(["--ours", "run {url} --port={port}"])?.ours).toEqual(["run", "{url}", "--port={port}"]);
  expect(() => readOptions(["--ours", "run {url}"])).toThrow("{port}");
});
