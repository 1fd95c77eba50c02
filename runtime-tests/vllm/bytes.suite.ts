import { describe, expect, test } from "vitest";
import { Recorder } from "./recorder.ts";
import { attach, freshText, post, type Setup } from "./setup.ts";
import { MODEL } from "./vllm-server.ts";

const messages = [{ role: "user", content: "Tell me about the sea." }];
const exact = { temperature: 0, seed: 1 };

const REQUESTS: Record<string, [path: string, body: object]> = {
  "a whole chat": ["/v1/chat/completions", { messages, max_tokens: 40, logprobs: true, top_logprobs: 2 }],
  "a streamed chat": [
    "/v1/chat/completions",
    { messages, max_tokens: 40, stream: true, stream_options: { include_usage: true } },
  ],
  "a whole completion": ["/v1/completions", { prompt: "The sea", max_tokens: 40 }],
  "a streamed completion": ["/v1/completions", { prompt: "The sea", max_tokens: 40, stream: true }],
  "a streamed Messages answer": ["/v1/messages", { messages, max_tokens: 40, stream: true }],
  "a streamed Responses answer": ["/v1/responses", { input: "The sea", max_output_tokens: 40, stream: true }],
  "a refusal": ["/v1/chat/completions", { messages, max_tokens: -1 }],
};

/** Answers pass through without additions or omissions. */
export function suiteOfBytes(setup: Setup): void {
  describe("The gateway passes bytes through unchanged", () => {
    test.each(Object.keys(REQUESTS))("from vLLM to the client: %s", async (name) => {
      const [path, body] = REQUESTS[name]!;
      await using recorder = await Recorder.open(setup.servers[1].url);
      const { stator, url } = await attach([recorder.url]);
      const response = await post(url, path, { ...exact, ...body });
      const received = Buffer.from(await response.arrayBuffer());
      const [sent] = recorder.generations;
      expect(response.status).toBe(sent?.status);
      expect(received.length).toBeGreaterThan(50);
      expect(received.equals(Buffer.concat(sent!.answer))).toBe(true);
      await stator.stop();
    });

    test("from the client to vLLM", async () => {
      await using recorder = await Recorder.open(setup.servers[1].url);
      const { stator, url } = await attach([recorder.url]);
      const text = `{"model":"tiny",  "prompt": ${JSON.stringify(freshText(10))}, "max_tokens": 1.0}`;
      const headers = { "content-type": "application/json" };
      await (await fetch(`${url}/v1/completions`, { method: "POST", headers, body: text })).text();
      expect(recorder.generations[0]?.request).toBe(text);
      await stator.stop();
    });

    test.for([
      [{ guided_regex: "[a-c]{4}" }, { regex: "[a-c]{4}" }, /^[a-c]{4}$/],
      [{ guided_choice: ["left", "right"] }, { choice: ["left", "right"] }, /^(left|right)$/],
    ] as const)("but for older fields of structured output: %j", async ([older, current, form]) => {
      await using recorder = await Recorder.open(setup.servers[1].url);
      const { stator, url } = await attach([recorder.url]);
      const answer = await (
        await post(url, "/v1/chat/completions", { messages, max_tokens: 20, ...older })
      ).json();
      const sent = JSON.parse(recorder.generations[0]!.request);
      expect(sent).toEqual({ model: MODEL, messages, max_tokens: 20, structured_outputs: current });
      expect(answer.choices[0].message.content).toMatch(form);
      await stator.stop();
    });

    test("as vLLM answers without a gateway, except for id and time", async () => {
      const answer = async (url: string, content: string) => {
        const body = { ...exact, messages: [{ role: "user", content }], max_tokens: 40 };
        const { id, created, usage, ...rest } = await (await post(url, "/v1/chat/completions", body)).json();
        return rest;
      };
      const urls = [setup.url, setup.servers[0].url, setup.servers[1].url];
      const sea = await Promise.all(urls.map((url) => answer(url, "Tell me about the sea.")));
      expect(sea).toEqual([sea[0], sea[0], sea[0]]);
      expect(await answer(setup.url, "Tell me about the sky.")).not.toEqual(sea[0]);
    });
  });
}
