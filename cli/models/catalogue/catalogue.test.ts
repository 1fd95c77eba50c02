import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { REASONING_PARSERS, TOOL_PARSERS } from "#gateway";
import { parseModelSource } from "../source.ts";
import { modelsPage, modelsPagePath } from "./docs.ts";
import { FAMILIES } from "./families.ts";
import { CATALOGUE, findModel, memoryNeeded } from "./index.ts";

describe("the catalogue", () => {
  test("has every name once, and names that no path or address looks like", () => {
    const names = [...CATALOGUE.map(({ name }) => name), ...FAMILIES.map(({ name }) => name)];
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z0-9][a-z0-9.-]*(:[a-z0-9.]+)?$/);
  });

  test("names parsers that the gateway has", () => {
    for (const { toolParser, reasoningParser } of CATALOGUE) {
      if (toolParser !== undefined) expect(TOOL_PARSERS).toContain(toolParser);
      if (reasoningParser !== undefined) expect(REASONING_PARSERS).toContain(reasoningParser);
    }
  });

  test("has a file on the hub for each model, and only the default model's revision is pinned", () => {
    for (const { repo, fileName, revision, isStartDefault } of CATALOGUE) {
      expect(`${repo}/${fileName}`).toMatch(/^[\w.-]+\/[\w.-]+\/[\w.-]+\.gguf$/);
      expect(revision === "main").toBe(!isStartDefault);
    }
    expect(CATALOGUE.filter(({ isStartDefault }) => isStartDefault).map(({ name }) => name)).toEqual([
      "smollm2:135m",
    ]);
  });

  test("needs more memory than the file, and more with more KV", () => {
    const model = findModel("qwen3:0.6b")!;
    expect(memoryNeeded(model)).toBeGreaterThan(model.bytes);
    expect(memoryNeeded(model, 1_000_000)).toBeGreaterThan(memoryNeeded(model));
  });

  test("docs/models.md is up to date (npm run docs writes it)", () => {
    expect(readFileSync(modelsPagePath, "utf8")).toBe(modelsPage());
  });
});

describe("a name", () => {
  test("is found in any case; a family's name alone means its default", () => {
    expect(findModel("Qwen3:0.6B")?.name).toBe("qwen3:0.6b");
    expect(findModel("QWEN3")?.name).toBe("qwen3:4b");
    expect(findModel("qwen3:9b")).toBeUndefined();
  });

  test("stands for the same file as the hub's address", () => {
    const byName = parseModelSource("qwen3:0.6b");
    const byAddress = parseModelSource("hf:Qwen/Qwen3-0.6B-GGUF/Qwen3-0.6B-Q8_0.gguf");
    expect(byName).toMatchObject({ ...byAddress, name: "qwen3:0.6b" });
  });

  test("of the default model stands for the default model", () => {
    expect(parseModelSource("smollm2")).toMatchObject({
      kind: "default",
      catalogue: { name: "smollm2:135m" },
    });
  });

  test.each([
    ["qwen3:0.7b", "There is no model 'qwen3:0.7b'. Did you mean 'qwen3:0.6b'?"],
    ["gwen3", "Did you mean 'qwen3'?"],
    ["zzzzzzzzzzzzzzzzzzzz", "There is no model 'zzzzzzzzzzzzzzzzzzzz'. 'stator models' lists the names."],
    ["./qwen3:0.6b", "There is no model file"],
    ["qwen3.gguf", "There is no model file"],
  ])("%s is refused: %s", (text, message) => {
    expect(() => parseModelSource(text)).toThrow(message);
  });
});
