import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { HandoffDialect, KvExports } from "./core/kv-handoff.ts";
import { readKv } from "./core/kv-handoff.ts";
import type { StandInReply } from "./core/server.ts";

const paramsSchema = z.looseObject({
  do_remote_decode: z.boolean().nullish(),
  do_remote_prefill: z.boolean().nullish(),
  remote_engine_id: z.string().nullish(),
  remote_block_ids: z.array(z.unknown()).nullish(),
  remote_request_id: z.string().nullish(),
  remote_host: z.string().nullish(),
  remote_port: z.number().nullish(),
});
const bodySchema = z.looseObject({
  kv_transfer_params: paramsSchema.nullish(),
  stream: z.boolean().nullish(),
});

export interface VllmHandoffOptions {
  readonly exports: KvExports;
  readonly blockSize: number;
  /** Where other engines read its blocks. */
  place(): { readonly host: string; readonly port: number };
  /** Ends the engine, as parameters without their other fields end vLLM's. */
  crash(): void;
  refuse(status: number, message: string): StandInReply;
}

/** vLLM's NixlConnector, over HTTP to the other stand-in. Any engine with it can take both parts. */
export function vllmHandoff({
  exports,
  blockSize,
  place,
  crash,
  refuse,
}: VllmHandoffOptions): HandoffDialect {
  const engineId = randomUUID();
  return {
    async begin(body, tokens, signal) {
      const { kv_transfer_params: params, stream } = bodySchema.safeParse(body).data ?? {};
      if (params?.do_remote_decode) {
        // A streamed answer has no parameters.
        if (stream) return undefined;
        return {
          tokens,
          isReceived: false,
          answerFields() {
            const { host, port } = place();
            const kv_transfer_params = {
              do_remote_prefill: true,
              do_remote_decode: false,
              remote_block_ids: [
                Array.from({ length: Math.ceil(tokens.length / blockSize) }, (_, index) => index),
              ],
              remote_engine_id: engineId,
              remote_request_id: exports.hold(tokens),
              remote_host: host,
              remote_port: port,
              remote_num_tokens: tokens.length,
              transfer_mode: "pull",
              tp_size: 1,
              dcp_size: 1,
              pp_size: 1,
            };
            return { kv_transfer_params };
          },
        };
      }
      if (!params?.do_remote_prefill) return undefined;
      const { remote_request_id: id, remote_host: host, remote_port: port } = params;
      if (params.remote_block_ids == null || !id || !host || !port) {
        crash();
        return refuse(500, "EngineCore encountered an issue.");
      }
      const read = await readKv(`http://${host}:${port}`, id, signal);
      // With kv_load_failure_policy=fail, its default.
      if (read === undefined) return refuse(500, "Internal server error");
      return { tokens: read, isReceived: true };
    },
  };
}
