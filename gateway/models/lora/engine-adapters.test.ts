import { describe, expect, test } from "vitest";
import { EngineApiError } from "../../engines/errors.ts";
import { adapterOf } from "../../engines/index.ts";
import type { EngineApi } from "../../engines/types.ts";
import { type AdaptableEngine, changeAdapters } from "./engine-adapters.ts";

type Answer = readonly [status: number, body: unknown] | EngineApiError;

const BODY = { lora_name: "sql", lora_path: "/adapters/sql" };

/** An engine of a kind that gives this answer, and what it is asked. */
function engineOf(kind: string, answer: Answer = [200, {}]) {
  const asked: unknown[] = [];
  const api: Partial<EngineApi> = {
    async postText(path, body) {
      asked.push([path, body]);
      if (answer instanceof EngineApiError) throw answer;
      const [status, json] = answer;
      return { status, text: typeof json === "string" ? json : JSON.stringify(json) };
    },
  };
  const engine: AdaptableEngine = {
    ...{ name: "engine", api: api as EngineApi, adapter: adapterOf(kind) },
    refreshModels: async () => void asked.push("refresh"),
    rereadModels: () => void asked.push("reread"),
  };
  return { engine, asked };
}

describe("an engine's LoRA adapters", () => {
  test.each([
    ["vllm", "/v1/load_lora_adapter", "/v1/unload_lora_adapter"],
    ["sglang", "/load_lora_adapter", "/unload_lora_adapter"],
    ["openai", "/v1/load_lora_adapter", "/v1/unload_lora_adapter"],
  ])("change at the paths of %s, and its models are read again", async (kind, load, unload) => {
    const { engine, asked } = engineOf(kind);
    await changeAdapters(engine, "load", BODY);
    await changeAdapters(engine, "unload", { lora_name: "sql" });
    expect(asked).toEqual([[load, BODY], "refresh", [unload, { lora_name: "sql" }], "refresh"]);
  });

  test("are read again later if they cannot be read now", async () => {
    const { engine, asked } = engineOf("vllm");
    const refreshModels = () => Promise.reject(new EngineApiError("timeout", "It did not answer."));
    await changeAdapters({ ...engine, refreshModels }, "load", BODY);
    expect(asked).toContain("reread");
  });

  test.each(["llama.cpp", "tensorrt-llm"])("do not change while %s runs", async (kind) => {
    const { engine, asked } = engineOf(kind);
    await expect(changeAdapters(engine, "load", BODY)).rejects.toMatchObject({
      status: 400,
      message: `The engine 'engine' (${kind}) cannot load LoRA adapters while it runs.`,
    });
    expect(asked).toEqual([]);
  });

  test.each<[string, Answer, number, string | RegExp]>([
    ["vllm", [400, { error: { message: "Already loaded." } }], 400, "Already loaded."],
    ["vllm", [404, { error: { message: "No adapter found." } }], 404, "No adapter found."],
    ["vllm", [404, { detail: "Not Found" }], 400, /VLLM_ALLOW_RUNTIME_LORA_UPDATING=1/],
    ["vllm", [500, "Internal Server Error"], 502, "It answered with status 500."],
    ["vllm", [401, { error: "Unauthorized" }], 502, "It answered with status 401."],
    ["sglang", [400, { success: false, error_message: "Wrong rank." }], 400, "Wrong rank."],
    ["sglang", [404, { detail: "Not Found" }], 400, /--enable-lora/],
    ["openai", [405, ""], 400, /vLLM's paths/],
    ["vllm", new EngineApiError("unreachable", "It is gone."), 502, "It is gone."],
  ])("of %s stay as they are after %j: %i", async (kind, answer, status, message) => {
    const { engine, asked } = engineOf(kind, answer);
    await expect(changeAdapters(engine, "load", BODY)).rejects.toMatchObject({
      status,
      message: typeof message === "string" ? message : expect.stringMatching(message),
    });
    expect(asked).toHaveLength(1);
  });
});
