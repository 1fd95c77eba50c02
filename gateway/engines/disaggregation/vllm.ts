import { z } from "zod";
import { sumOf } from "../prometheus.ts";
import { CONVERSATIONS, obstacleToOnePrompt, oneToken } from "./one-token.ts";
import type { Disaggregation } from "./types.ts";

/** How long vLLM's prefill engine keeps blocks that have not been fetched: `kv_lease_duration`. */
const LEASE_MS = 30_000;

/**
 * vLLM's NixlConnector. The prefill engine is asked for one token, without a stream, because a streamed answer has no
 * parameters; its answer's `kv_transfer_params` go to the decode engine as they are.
 */
export const vllmDisaggregation: Disaggregation = {
  decodesAlone: true,
  obstacleOf: (request) => obstacleToOnePrompt(request, CONVERSATIONS),
  async readReceivedTokens(api) {
    const text = (await api.getText("/metrics")) ?? "";
    return sumOf(text, [RECEIVED], ({ source }) => source === "external_kv_transfer");
  },
  flagFor: (role) =>
    role === "encode"
      ? `--ec-transfer-config '${JSON.stringify({ ec_connector: "ECExampleConnector", ec_role: "ec_producer" })}'`
      : `--kv-transfer-config '${JSON.stringify({
          kv_connector: "NixlConnector",
          kv_role: role === "prefill" ? "kv_producer" : "kv_consumer",
        })}'`,
  divide: ({ prefill: { kvLeaseMs = LEASE_MS }, ...request }) => ({
    prefillFields: {
      ...oneToken(request),
      kv_transfer_params: {
        do_remote_decode: true,
        do_remote_prefill: false,
        remote_engine_id: null,
        remote_block_ids: null,
        remote_host: null,
        remote_port: null,
      },
    },
    decodeFields: undefined,
    validMs: kvLeaseMs,
    readAnswer(answer) {
      const read = answerSchema.safeParse(answer);
      if (!read.success)
        throw new Error("Its answer has no kv_transfer_params: was it started with --kv-transfer-config?");
      const { usage } = read.data;
      // The decode engine would wait for them.
      if (read.data.kv_transfer_params.remote_block_ids.flat().length === 0)
        throw new Error("Its answer names no KV blocks.");
      return {
        // Its own object: the schema's has another order.
        fields: { kv_transfer_params: (answer as Answer).kv_transfer_params },
        cachedTokens:
          usage?.prompt_tokens_details?.cached_tokens ??
          usage?.input_tokens_details?.cached_tokens ??
          usage?.cache_read_input_tokens ??
          undefined,
      };
    },
  }),
};

const RECEIVED = "vllm:prompt_tokens_by_source_total";

const cachedSchema = z.looseObject({ cached_tokens: z.number().nullish() }).nullish();

const answerSchema = z.looseObject({
  // Without these, the decode engine would end.
  kv_transfer_params: z.looseObject({
    do_remote_prefill: z.literal(true),
    remote_block_ids: z.array(z.unknown()),
    remote_engine_id: z.string(),
    remote_host: z.string(),
    remote_port: z.number(),
  }),
  usage: z
    .looseObject({
      // Chat and text completions, Responses, and Messages.
      prompt_tokens_details: cachedSchema,
      input_tokens_details: cachedSchema,
      cache_read_input_tokens: z.number().nullish(),
    })
    .nullish()
    .catch(undefined),
});

type Answer = z.infer<typeof answerSchema>;
