import { createHash } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { HandoffDialect } from "./core/kv-handoff.ts";
import { mediaIn, type StandInMedium } from "./core/media.ts";
import { messagesOf } from "./core/openai-request.ts";
import type { StandInWork } from "./core/options.ts";
import type { StandInReply } from "./core/server.ts";

export interface EncoderOptions {
  /** Where encoders leave what they have made: vLLM's `shared_storage_path`. */
  readonly folder: string;
  onWork(work: StandInWork): void;
}

/**
 * vLLM's encoder (`ec_producer`): it answers a chat with one entry for each of its media. Its embeddings are empty files, as the
 * stand-ins' model reads none.
 */
export function vllmEncoder({ folder, onWork }: EncoderOptions): HandoffDialect {
  mkdirSync(folder, { recursive: true });
  return {
    async begin(body): Promise<StandInReply> {
      const media = mediaIn(messagesOf(body));
      for (const { id } of media) writeFileSync(fileOf(folder, id), "");
      onWork({ did: "encoded", media: media.map(({ kind }) => kind), promptTokens: 0 });
      const ec_transfer_params = Object.fromEntries(
        media.map(({ id, kind }, index) => [id, { item_indices: [index], metadata: METADATA[kind] }]),
      );
      const choices = [{ index: 0, message: { role: "assistant", content: "" }, finish_reason: "stop" }];
      return { json: { object: "chat.completion", choices, ec_transfer_params } };
    },
  };
}

/** Whether all embeddings that a chat only names are there. A vLLM without one of them ends. */
export const hasEmbeddings = (media: readonly StandInMedium[], folder: string | undefined): boolean =>
  media.every(
    ({ id, isEmbedding }) => !isEmbedding || (folder !== undefined && existsSync(fileOf(folder, id))),
  );

/** As Qwen2-VL's for an image of 28 × 28 pixels: this encoder reads no sizes. Other kinds' metadata are not known. */
const METADATA = { image: { image_grid_thw: [1, 2, 2] }, audio: null, video: null };

/** Ids are clients' texts as long as no gateway sets them. */
const fileOf = (folder: string, id: string) => join(folder, createHash("sha256").update(id).digest("hex"));
