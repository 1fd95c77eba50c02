import { z } from "zod";
import type { ChatEncoding } from "./types.ts";

const CHAT = "/v1/chat/completions";

/** Fields of a chat from which the encoder makes the prompt, and those that affect how its media are read. */
const PROMPT_FIELDS = [
  "messages",
  "tools",
  "documents",
  "chat_template",
  "chat_template_kwargs",
  "add_generation_prompt",
  "media_io_kwargs",
];

/** Those fields of `disaggregated_params` that are about media. */
const ABOUT_MEDIA = /^(multimodal|mrope)_/;

/** The same parameters without what is about media. */
export const withoutMedia = (params: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(params).filter(([name]) => !ABOUT_MEDIA.test(name)));

/** The field that the protocol of `trtllm-serve` has if its language engines take what encoders have made. */
export const HANDLES = "multimodal_embedding_handles";

/**
 * TensorRT-LLM's encoder (`trtllm-serve mm_embedding_serve`), as in its `serve/openai_server.py` and `llmapi/llm.py`; the
 * fields are those of `disaggregated_params.py`, which its protocol for HTTP need not have yet. It is asked for the whole chat, as the positions that it answers (M-RoPE) are those in this prompt. The media stay in the
 * language engine's request, which makes its placeholders from them, but does not encode them.
 *
 * A handle is of GPU memory in the encoder, shared by CUDA IPC. The encoder counts one reader for each, which must open it
 * once (`_torch/shared_tensor/shared_tensor.py`), so an answer is for one request.
 */
export const tensorrtLlmEncoding: ChatEncoding = {
  unit: "chat",
  requirement: `its protocol has no disaggregated_params.${HANDLES} (TensorRT-LLM plans it as TRTLLM-12407)`,
  obstacleOf({ path, body }) {
    if (path !== CHAT) return `requests to ${path} are not encoded beforehand`;
    if (body.prompt_token_ids != null) return "its prompt is given as token ids";
    // The encoder does not read them, and would encode other pictures than the language engine expects.
    return body.mm_processor_kwargs == null ? undefined : "it has options for the processor of its media";
  },
  request: ({ body }) => ({
    path: CHAT,
    body: Object.fromEntries(
      ["model", ...PROMPT_FIELDS].filter((name) => body[name] != null).map((name) => [name, body[name]]),
    ),
  }),
  readAnswer(answer, count) {
    const { data } = answerSchema.safeParse(answer);
    const handles = data?.choices[0]?.disaggregated_params?.[HANDLES];
    if (handles == null)
      throw new Error(
        data?.choices[0]?.mm_embedding_handle == null
          ? "Its answer has no handles of embeddings: was it started with trtllm-serve mm_embedding_serve?"
          : `Its answer has only mm_embedding_handle, not the disaggregated_params.${HANDLES} that language engines take.`,
      );
    if (handles.length !== count)
      throw new Error(`Its answer has ${handles.length} handles of embeddings for ${count} media.`);
    // Its own object: the schema's has another order.
    const [choice] = (answer as Answer).choices;
    const own = Object.entries(choice!.disaggregated_params ?? {});
    const aboutMedia = own.filter(([name, value]) => ABOUT_MEDIA.test(name) && value != null);
    return {
      disaggregated_params: {
        request_type: "context_and_generation",
        ...Object.fromEntries(aboutMedia),
      },
    };
  },
};

const answerSchema = z.looseObject({
  choices: z
    .array(
      z.looseObject({
        mm_embedding_handle: z.unknown(),
        disaggregated_params: z
          .looseObject({
            [HANDLES]: z.array(z.looseObject({ tensor_size: z.array(z.unknown()).min(1) })).nullish(),
          })
          .nullish(),
      }),
    )
    .min(1),
});

type Answer = z.infer<typeof answerSchema>;
