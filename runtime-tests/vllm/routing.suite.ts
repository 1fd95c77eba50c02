import { describe, expect, test } from "vitest";
import { StatorProcess } from "../../cli/e2e/stator-process.ts";
import { ask, attach, cachedTokens, eventually, freshText, type Setup } from "./setup.ts";
import { BLOCK_SIZE } from "./vllm-server.ts";

const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const weather = { name: "get_weather", description: "Tells the weather, in °C.", parameters };
const chatTools = [{ function: weather, type: "function" }];
const argumentsText = JSON.stringify({ city: "Köln" });
const call = { id: "one", type: "function", function: { name: "get_weather", arguments: argumentsText } };

/** Requests of all APIs, with the long text in different places near the start. */
const CASES: Record<string, (text: string) => [path: string, body: object]> = {
  chat: (text) => [
    "/v1/chat/completions",
    {
      max_tokens: 1,
      messages: [
        { role: "system", content: text },
        { role: "user", content: "Hello, 東京!" },
      ],
    },
  ],
  "chat in parts": (text) => [
    "/v1/chat/completions",
    {
      max_tokens: 1,
      messages: [{ role: "user", content: [text, "And?"].map((part) => ({ type: "text", text: part })) }],
    },
  ],
  "chat with tools": (text) => [
    "/v1/chat/completions",
    { max_tokens: 1, tools: chatTools, messages: [{ role: "user", content: text }] },
  ],
  "chat with tool calls": (text) => [
    "/v1/chat/completions",
    {
      max_tokens: 1,
      tools: chatTools,
      messages: [
        { role: "user", content: "Well?" },
        { role: "assistant", content: null, tool_calls: [call] },
        { role: "tool", tool_call_id: "one", content: text },
      ],
    },
  ],
  "chat that continues an answer": (text) => [
    "/v1/chat/completions",
    {
      max_tokens: 1,
      messages: [
        { role: "user", content: text },
        { role: "assistant", content: "So I think" },
      ],
      continue_final_message: true,
      add_generation_prompt: false,
    },
  ],
  completion: (text) => ["/v1/completions", { max_tokens: 1, prompt: text }],
  Messages: (text) => [
    "/v1/messages",
    {
      max_tokens: 1,
      system: [
        { type: "text", text },
        { type: "text", text: "And short." },
      ],
      messages: [{ role: "user", content: "Hello" }],
    },
  ],
  "Messages with tools": (text) => [
    "/v1/messages",
    {
      max_tokens: 1,
      tools: [{ name: weather.name, description: weather.description, input_schema: parameters }],
      messages: [
        { role: "user", content: "Well?" },
        {
          role: "assistant",
          content: [
            { type: "text", text: "Let me see." },
            { type: "tool_use", id: "one", name: "get_weather", input: { city: "X" } },
          ],
        },
        { role: "user", content: [{ type: "tool_result", tool_use_id: "one", content: text }] },
      ],
    },
  ],
  Responses: (text) => ["/v1/responses", { max_output_tokens: 1, instructions: "Be short.", input: text }],
  "Responses with tools": (text) => [
    "/v1/responses",
    {
      max_output_tokens: 1,
      tools: [{ type: "function", ...weather }],
      input: [
        { role: "user", content: "Well?" },
        { type: "function_call", call_id: "one", name: "get_weather", arguments: argumentsText },
        { type: "function_call_output", call_id: "one", output: text },
      ],
    },
  ],
};

/** Compares the router's predictions with what real vLLMs report as cached. */
export function suiteOfRouting(setup: Setup): void {
  describe("A request goes to the vLLM that has its prefix cached", () => {
    test.each(Object.keys(CASES))("%s: as many blocks are cached as predicted", async (name) => {
      const [path, body] = CASES[name]!(freshText(400));
      const first = await ask(setup.url, path, { temperature: 0, ...body });
      expect(first).toMatchObject({ status: 200 });
      const again = await ask(setup.url, path, { temperature: 0, ...body });
      expect(again.engine).toBe(first.engine);
      expect(again.overlapTokens).toBeGreaterThan(10 * BLOCK_SIZE);
      // vLLM recomputes a prompt's last token, and thus its block if the prompt ends with it.
      const missing = again.overlapTokens - cachedTokens(again)!;
      expect([0, BLOCK_SIZE]).toContain(missing);
    });

    test("stator doctor proves it for both", async () => {
      const doctor = new StatorProcess(["doctor", "--config=none", ...setup.servers.map(({ url }) => url)]);
      expect([await doctor.ended(), doctor.stderr]).toEqual([0, ""]);
      expect(doctor.stdout).toContain("All is well");
    });

    test("a gateway that starts later learns the caches from the engines", async () => {
      const [path, body] = CASES.completion!(freshText(400));
      const first = await ask(setup.url, path, body);
      const { stator, url } = await attach(setup.servers.map((server) => server.url));
      const again = await eventually(async () => {
        const asked = await ask(url, path, body);
        return asked.engine === first.engine ? asked : undefined;
      }, "the new gateway finds the engine");
      expect(again.overlapTokens).toBeGreaterThan(10 * BLOCK_SIZE);
      expect(again.overlapTokens - cachedTokens(again)!).toBeLessThanOrEqual(BLOCK_SIZE);
      await stator.stop();
    });
  });
}
