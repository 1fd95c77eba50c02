import type { HandoffDialect } from "./core/kv-handoff.ts";
import { mediaIn } from "./core/media.ts";
import { messagesOf } from "./core/openai-request.ts";
import type { StandInWork } from "./core/options.ts";
import type { StandInReply } from "./core/server.ts";
import type { StandInContext } from "./core/stand-in.ts";
import { hasEmbeddings, vllmEncoder } from "./vllm-encoding.ts";
import { vllmHandoff } from "./vllm-handoff.ts";

/** What an engine does by its role: it encodes media, computes prompts for others, or answers. */
export function vllmRole(
  { kvExports: exports, engine, place, crash, options }: StandInContext,
  refuse: (status: number, message: string) => StandInReply,
): HandoffDialect {
  const { role, encoderFolder: folder, onWork = () => {} } = options;
  if (role === "encode") {
    if (folder === undefined) throw new Error("An encode engine needs a folder for its embeddings.");
    return vllmEncoder({ folder, onWork });
  }
  const kv = role && vllmHandoff({ exports, blockSize: engine.blockSize, place, crash, refuse });
  return {
    async begin(body, tokens, signal) {
      const media = mediaIn(messagesOf(body));
      if (!hasEmbeddings(media, folder)) {
        crash();
        return refuse(500, "EngineCore encountered an issue.");
      }
      onWork({
        did: stepOf(body),
        media: media.map(({ kind, isEmbedding }) => (isEmbedding ? "embedding" : kind)),
        promptTokens: tokens.length,
      });
      return kv?.begin(body, tokens, signal);
    },
  };
}

/** What a request asks of an engine. */
function stepOf(body: unknown): StandInWork["did"] {
  const params: unknown = Reflect.get(Object(body), "kv_transfer_params");
  if (Reflect.get(Object(params), "do_remote_decode") === true) return "prefilled";
  return Reflect.get(Object(params), "do_remote_prefill") === true ? "decoded" : "answered";
}
