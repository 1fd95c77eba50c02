import { z } from "zod";
import { type Handoff, type HandoffDialect, type KvExports, readKv } from "./core/kv-handoff.ts";
import { mediaIn } from "./core/media.ts";
import { messagesOf } from "./core/openai-request.ts";
import type { StandInWork } from "./core/options.ts";
import { refuse } from "./core/refusal.ts";
import { type EncodingParams, encodingFields, openHandles } from "./tensorrt-llm-encoding.ts";

/** The protocol's `DisaggregatedParams`, which forbids any other field. */
const params = {
  request_type: z.enum(["context_only", "generation_only", "context_and_generation"]),
  first_gen_tokens: z.array(z.number()).nullish(),
  ctx_request_id: z.number().nullish(),
  encoded_opaque_state: z.string().nullish(),
  draft_tokens: z.array(z.number()).nullish(),
  disagg_request_id: z.number().nullish(),
};
const plainSchema = z.strictObject(params);
const encodingSchema = z.strictObject({ ...params, ...encodingFields });

export interface HandoffOptions {
  readonly exports: KvExports;
  /** Whether the protocol has the fields for what encoders have made. */
  readonly takesEncoded: boolean;
  origin(): string;
  onWork(work: StandInWork): void;
}

/** The names of the protocol's `DisaggregatedParams`. */
export const paramsOf = (takesEncoded: boolean): string[] =>
  Object.keys((takesEncoded ? encodingSchema : plainSchema).shape);

/**
 * The context and generation requests of `trtllm-serve`, whose opaque state tells where the blocks are, and those with an
 * encoder's handles.
 */
export function tensorrtLlmHandoff({
  exports,
  takesEncoded,
  origin,
  onWork,
}: HandoffOptions): HandoffDialect {
  let requests = 0;
  /** A context request. */
  const computed = (tokens: readonly number[], encoded: EncodingParams): Handoff => ({
    tokens,
    isReceived: false,
    choiceFields() {
      const id = exports.hold(tokens);
      const disaggregated_params = {
        // What it got comes back, used.
        ...encoded,
        ...{ request_type: "context_only", ctx_request_id: ++requests, draft_tokens: null },
        first_gen_tokens: [tokens.at(-1)],
        encoded_opaque_state: Buffer.from(JSON.stringify([origin(), id])).toString("base64"),
      };
      return { disaggregated_params };
    },
  });
  return {
    async begin(body, tokens, signal) {
      const media = mediaIn(messagesOf(body)).map(({ kind }) => kind);
      const given: unknown = Reflect.get(Object(body), "disaggregated_params");
      if (given == null) {
        onWork({ did: "answered", media, promptTokens: tokens.length });
        return undefined;
      }
      const read = (takesEncoded ? encodingSchema : plainSchema).safeParse(given);
      if (!read.success) return refuse(400, z.prettifyError(read.error));
      const { request_type: type, encoded_opaque_state: state, ctx_request_id: id, ...rest } = read.data;
      const encoded: EncodingParams = encodingParams.parse(rest);
      const hasHandles = encoded.multimodal_embedding_handles != null;
      if (hasHandles && type === "generation_only")
        return refuse(400, "Generation-only mode should not need multimodal parameters");
      const refusal = await openHandles(encoded, media.length, signal);
      if (refusal !== undefined) return refusal;
      onWork({
        did: STEPS[type],
        media: hasHandles ? media.map(() => "embedding") : media,
        promptTokens: tokens.length,
      });
      if (type === "context_only") return computed(tokens, encoded);
      if (type === "context_and_generation") return undefined;
      if (!state || id == null) return refuse(400, "encoded_opaque_state: missing");
      const place = z
        .tuple([z.string(), z.string()])
        .parse(JSON.parse(Buffer.from(state, "base64").toString()));
      const received = await readKv(...place, signal);
      if (received === undefined) return refuse(500, "Failed to receive the KV cache.");
      return { tokens: received, isReceived: true };
    },
  };
}

const encodingParams = z.object(encodingFields);

const STEPS = {
  context_only: "prefilled",
  generation_only: "decoded",
  context_and_generation: "answered",
} as const satisfies Readonly<Record<string, StandInWork["did"]>>;
