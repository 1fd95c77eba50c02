import { describe, expect, test } from "vitest";
import { tensorrtLlmDisaggregation } from "../disaggregation/tensorrt-llm.ts";
import { createEngineApi, probeEngine } from "../index.ts";
import { type Answer, serveAnswers } from "../test-server.ts";
import { tensorrtLlmEncoding } from "./tensorrt-llm.ts";

async function profileOf(answers: Readonly<Record<string, Answer>>) {
  await using server = await serveAnswers(answers);
  const { profile } = await probeEngine(createEngineApi(server.url));
  return { ...profile, url: server.url };
}

describe("TensorRT-LLM", () => {
  const models = { data: [{ id: "big", owned_by: "tensorrt_llm" }] };
  const described = (paths: readonly string[], fields: readonly string[]) => ({
    "/v1/models": models,
    "/openapi.json": {
      paths: Object.fromEntries(paths.map((path) => [path, {}])),
      components: {
        schemas: {
          DisaggregatedParams: { properties: Object.fromEntries(fields.map((field) => [field, {}])) },
        },
      },
    },
  });

  test("an encoder is recognised by what it lacks", async () => {
    const paths = ["/v1/models", "/v1/chat/completions"];
    expect((await profileOf(described(paths, []))).role).toBe("encode");
    expect((await profileOf(described([...paths, "/v1/completions"], []))).role).toBeUndefined();
    expect((await profileOf({ "/v1/models": models })).role).toBeUndefined();
  });

  test("a language engine's protocol says whether it takes handles", async () => {
    const takes = async (...fields: string[]) => (await profileOf(described([], fields))).takesEncoded;
    expect(await takes("request_type", "multimodal_embedding_handles")).toBe(true);
    expect(await takes("request_type", "ctx_request_id")).toBe(false);
    expect((await profileOf({ "/v1/models": models })).takesEncoded).toBeUndefined();
  });

  const chat = { path: "/v1/chat/completions", body: { model: "big", messages: [] } };
  const handle = (rows: number) => ({ tensor_size: [rows, 64], storage_handle: "AAAA" });
  const answer = (disaggregated_params: object | null, mm_embedding_handle: unknown = null) => ({
    choices: [{ index: 0, mm_embedding_handle, disaggregated_params }],
  });

  test("an encoder gets the prompt, and nothing about the answer", () => {
    const body = {
      ...{ model: "big", messages: [{ role: "user", content: "Hello" }], tools: [{ type: "function" }] },
      ...{ stream: true, max_tokens: 4, temperature: 0, documents: null, chat_template_kwargs: { think: 1 } },
    };
    const { messages, tools, chat_template_kwargs } = body;
    expect(tensorrtLlmEncoding.request({ ...chat, body })).toEqual({
      path: "/v1/chat/completions",
      body: { model: "big", messages, tools, chat_template_kwargs },
    });
  });

  test("its answer's parameters about media go to the language engine as they are", () => {
    const about = {
      multimodal_embedding_handles: [handle(4), handle(9)],
      multimodal_hashes: [
        [1, 2],
        [3, 4],
      ],
      mrope_position_ids_handle: handle(3),
      mrope_position_deltas_handle: handle(1),
    };
    const rest = { request_type: null, ctx_request_id: null, multimodal_item_runs: null };
    expect(tensorrtLlmEncoding.readAnswer(answer({ ...rest, ...about }), 2)).toEqual({
      disaggregated_params: { request_type: "context_and_generation", ...about },
    });
  });

  test.each([
    ["none", answer(null), "mm_embedding_serve"],
    ["only those of an older protocol", answer(null, handle(4)), "only mm_embedding_handle"],
    ["fewer than media", answer({ multimodal_embedding_handles: [handle(4)] }), "1 handles"],
    ["none that are handles", answer({ multimodal_embedding_handles: [{}, {}] }), "no handles"],
    ["no choice", { choices: [] }, "no handles"],
    ["nothing", null, "no handles"],
  ])("an answer with %s is refused", (_what, wrong, sentence) => {
    expect(() => tensorrtLlmEncoding.readAnswer(wrong, 2)).toThrow(sentence);
  });

  test.each([
    [{ ...chat, path: "/v1/completions" }, "are not encoded"],
    [{ ...chat, body: { ...chat.body, prompt_token_ids: [1] } }, "token ids"],
    [{ ...chat, body: { ...chat.body, mm_processor_kwargs: { fps: 1 } } }, "processor"],
  ])("what the encoder would read otherwise is not sent to it: %#", (request, clause) => {
    expect(tensorrtLlmEncoding.obstacleOf(request)).toContain(clause);
    expect(tensorrtLlmEncoding.obstacleOf(chat)).toBeUndefined();
  });

  test("a prefill engine gets the handles, and the decode engine never", () => {
    const encoded = tensorrtLlmEncoding.readAnswer(answer({ multimodal_embedding_handles: [handle(4)] }), 1);
    const prefill = { url: "http://127.0.0.1:1" };
    const { prefillFields, readAnswer } = tensorrtLlmDisaggregation.divide({ ...chat, prefill, encoded });
    expect(prefillFields.disaggregated_params).toEqual({
      request_type: "context_only",
      multimodal_embedding_handles: [handle(4)],
    });
    const own = { ctx_request_id: 7, encoded_opaque_state: "state", first_gen_tokens: [1] };
    const mrope = { mrope_position_ids_handle: handle(3), mrope_position_deltas_handle: handle(1) };
    const used = { multimodal_embedding_handles: [handle(4)], multimodal_hashes: [[1]], ...mrope };
    expect(readAnswer(answer({ request_type: "context_only", ...own, ...used })).fields).toEqual({
      disaggregated_params: { request_type: "generation_only", ...own },
    });
  });
});

describe("SGLang", () => {
  const info = { model_path: "/models/big", language_only: true, encoder_bootstrap_port: 8997 };

  test("an encoder is recognised by its paths, and serves no model", async () => {
    const paths = { "/encode": {}, "/send": {}, "/scheduler_receive_url": {}, "/health": {} };
    expect(await profileOf({ "/openapi.json": { paths } })).toMatchObject({
      kind: "sglang",
      role: "encode",
      models: [],
    });
  });

  test("a language engine is told of encoders at its own port for that", async () => {
    const { encoderRegistry } = await profileOf({ "/server_info": info });
    expect(encoderRegistry).toBe("http://127.0.0.1:8997");
  });

  test("or under its own address, in versions that have it there", async () => {
    const paths = { "/register_encoder_url": {}, "/list_encoder_urls": {} };
    const { encoderRegistry, url } = await profileOf({ "/server_info": info, "/openapi.json": { paths } });
    expect(encoderRegistry).toBe(url);
  });

  test("a whole server is told of none", async () => {
    const { encoderRegistry } = await profileOf({ "/server_info": { ...info, language_only: false } });
    expect(encoderRegistry).toBeUndefined();
  });
});
