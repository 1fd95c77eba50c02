import { randomUUID } from "node:crypto";
import { z } from "zod";
import { type HandoffDialect, type KvExports, readKv } from "./core/kv-handoff.ts";
import { mediaIn } from "./core/media.ts";
import { messagesOf } from "./core/openai-request.ts";
import type { StandInWork } from "./core/options.ts";
import { refuse } from "./core/refusal.ts";
import type { StandInReply } from "./core/server.ts";

/** A handle of memory in the encoder, as `SharedTensorContainer` writes it; its storage tells where it is. */
const handleSchema = z.looseObject({
  tensor_size: z.array(z.number()).min(1),
  method_key: z.number(),
  storage_handle: z.string(),
});

/** A hash of a medium: eight integers of 32 bits. */
const hashSchema = z.array(z.int32()).length(8);

/** Fields of `disaggregated_params` that hand over what an encoder has made. */
export const encodingFields = {
  multimodal_embedding_handles: z.array(handleSchema).nullish(),
  multimodal_hashes: z.array(hashSchema).nullish(),
  multimodal_item_runs: z.array(z.array(z.unknown())).nullish(),
  mrope_position_ids_handle: handleSchema.nullish(),
  mrope_position_deltas_handle: handleSchema.nullish(),
};

export type EncodingParams = z.output<z.ZodObject<typeof encodingFields>>;

/** Fields of a chat that an encoder reads. Those that it would ignore are refused: a gateway has no reason to send them. */
const chatSchema = z.strictObject({
  model: z.string(),
  messages: z.array(z.looseObject({ role: z.string() })).min(1),
  tools: z.array(z.unknown()).nullish(),
  documents: z.array(z.unknown()).nullish(),
  chat_template: z.string().nullish(),
  chat_template_kwargs: z.record(z.string(), z.unknown()).nullish(),
  add_generation_prompt: z.boolean().nullish(),
  media_io_kwargs: z.record(z.string(), z.unknown()).nullish(),
});

export interface EncoderOptions {
  readonly model: string;
  /** Holds embeddings, each of which is read once. */
  readonly exports: KvExports;
  origin(): string;
  onWork(work: StandInWork): void;
}

/** `trtllm-serve mm_embedding_serve`: it answers a chat with a handle for each of its media. */
export function tensorrtLlmEncoder({ model, exports, origin, onWork }: EncoderOptions): HandoffDialect {
  const handle = (...tensor_size: number[]) => ({
    ...{ method_key: 1, tensor_size, dtype: "torch.bfloat16", storage_device: 0 },
    storage_handle: Buffer.from(JSON.stringify([origin(), exports.hold([])])).toString("base64"),
  });
  return {
    async begin(body, tokens): Promise<StandInReply> {
      const read = chatSchema.safeParse(body);
      if (!read.success) return refuse(400, z.prettifyError(read.error));
      const media = mediaIn(messagesOf(body));
      if (media.some(({ isEmbedding }) => isEmbedding))
        return refuse(400, "Cannot use multimodal embeddings as input");
      if (media.length === 0) return refuse(500, "Multimodal embedding handle missing in response");
      onWork({ did: "encoded", media: media.map(({ kind }) => kind), promptTokens: 0 });
      const handles = media.map(() => handle(ROWS, 64));
      const disaggregated_params = {
        ...{ request_type: null, first_gen_tokens: null, ctx_request_id: null },
        multimodal_embedding_handles: handles,
        multimodal_hashes: media.map(({ id }) => hashOf(id)),
        multimodal_item_runs: media.map((_, index) => [[index * ROWS, ROWS, []]]),
        mrope_position_ids_handle: handle(3, 1, tokens.length),
        mrope_position_deltas_handle: handle(1, 1),
      };
      const choice = {
        index: 0,
        message: { role: "assistant", content: "dummy", reasoning_content: null, tool_calls: [] },
        finish_reason: "length",
        mm_embedding_handle: handles.length === 1 ? handles[0] : handles,
        disaggregated_params,
      };
      const prompt_tokens = handles.length * ROWS;
      const usage = { prompt_tokens, completion_tokens: 1, total_tokens: prompt_tokens + 1 };
      const head = { id: randomUUID(), object: "chat.completion", created: 0, model };
      return { json: { ...head, choices: [choice], usage } };
    },
  };
}

/**
 * Opens an encoder's handles, as a language engine does for the media in its prompt.
 * @returns a refusal if they are not for these media; undefined if it has read all
 */
export async function openHandles(
  params: EncodingParams,
  media: number,
  signal: AbortSignal,
): Promise<StandInReply | undefined> {
  const { multimodal_embedding_handles: handles, multimodal_hashes: hashes } = params;
  const { mrope_position_ids_handle: ids, mrope_position_deltas_handle: deltas } = params;
  if (handles != null && handles.length !== media)
    return refuse(400, `Number of images must match number of mm_handles: ${media}, ${handles.length}`);
  if (hashes != null && hashes.length !== media)
    return refuse(400, "multimodal_hashes and multimodal_embedding_handles must have the same length");
  if ((ids == null) !== (deltas == null))
    return refuse(400, "mrope_position_ids_handle and mrope_position_deltas_handle must both be provided");
  for (const { storage_handle } of [...(handles ?? []), ...[ids ?? [], deltas ?? []].flat()]) {
    const place = placeSchema.safeParse(JSON.parse(Buffer.from(storage_handle, "base64").toString()));
    const read = place.success ? await readKv(...place.data, signal) : undefined;
    if (read === undefined) return refuse(500, "CUDA error: invalid resource handle");
  }
  return undefined;
}

const placeSchema = z.tuple([z.string(), z.string()]);

/** Tokens of each medium, whose size this encoder does not read. */
const ROWS = 4;

/** The first 32 bytes of an id in hexadecimal digits as integers. */
function hashOf(id: string): number[] {
  const bytes = Buffer.alloc(32);
  bytes.write(id, "hex");
  return Array.from({ length: 8 }, (_, index) => bytes.readInt32BE(index * 4));
}
