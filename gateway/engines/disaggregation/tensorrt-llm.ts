import { z } from "zod";
import { COMPLETIONS, obstacleToOnePrompt, oneToken } from "./one-token.ts";
import type { Disaggregation } from "./types.ts";

/**
 * `trtllm-serve`. A context request computes the prompt and its first token; the choice's `disaggregated_params` go into
 * the generation request, whose answer begins with that token.
 */
export const tensorrtLlmDisaggregation: Disaggregation = {
  decodesAlone: true,
  obstacleOf: (request) => obstacleToOnePrompt(request, COMPLETIONS),
  // `cache_transceiver_config` in its YAML file.
  flagFor: () => undefined,
  divide: (request) => ({
    prefillFields: { ...oneToken(request), disaggregated_params: { request_type: "context_only" } },
    decodeFields: undefined,
    readAnswer(answer) {
      const params = answerSchema.safeParse(answer).data?.choices[0]?.disaggregated_params;
      if (params === undefined) throw new Error("Its answer has no disaggregated_params.");
      return {
        fields: { disaggregated_params: { ...params, request_type: "generation_only" } },
        validMs: undefined,
        cachedTokens: undefined,
      };
    },
  }),
};

const answerSchema = z.looseObject({
  choices: z.array(z.looseObject({ disaggregated_params: z.looseObject({}) })).min(1),
});
