import { z } from "zod";
import { type HandoffDialect, type KvExports, readKv } from "./core/kv-handoff.ts";
import { refuse } from "./core/refusal.ts";

const bodySchema = z.looseObject({
  disaggregated_params: z
    .looseObject({
      request_type: z.string(),
      ctx_request_id: z.number().nullish(),
      opaque_state: z.string().nullish(),
    })
    .nullish(),
});

/** The context and generation requests of `trtllm-serve`; the opaque state tells where the blocks are. */
export function tensorrtLlmHandoff(exports: KvExports, origin: () => string): HandoffDialect {
  let requests = 0;
  return {
    async begin(body, tokens, signal) {
      const params = bodySchema.safeParse(body).data?.disaggregated_params;
      if (params?.request_type === "context_only") {
        return {
          tokens,
          isReceived: false,
          choiceFields() {
            const ctx_request_id = ++requests;
            const id = exports.hold(tokens);
            const opaque_state = Buffer.from(JSON.stringify([origin(), id])).toString("base64");
            const first_gen_tokens = [tokens.at(-1)];
            const disaggregated_params = {
              ...{ request_type: "context_only", first_gen_tokens, ctx_request_id },
              ...{ opaque_state, draft_tokens: null },
            };
            return { disaggregated_params };
          },
        };
      }
      if (params?.request_type !== "generation_only") return undefined;
      if (!params.opaque_state || params.ctx_request_id == null) return refuse(400, "opaque_state: missing");
      const [place, id] = z
        .tuple([z.string(), z.string()])
        .parse(JSON.parse(Buffer.from(params.opaque_state, "base64").toString()));
      const read = await readKv(place, id, signal);
      if (read === undefined) return refuse(500, "Failed to receive the KV cache.");
      return { tokens: read, isReceived: true };
    },
  };
}
