import { z } from "zod";
import { isInteger } from "../../kernel/exact-json.ts";
import { withoutMedia } from "../encoding/tensorrt-llm.ts";
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
    prefillFields: {
      ...oneToken(request),
      disaggregated_params: {
        ...Object(request.encoded?.disaggregated_params),
        request_type: "context_only",
      },
    },
    decodeFields: undefined,
    validMs: undefined,
    readAnswer(answer) {
      if (!answerSchema.safeParse(answer).success)
        throw new Error("Its answer has no disaggregated_params with a ctx_request_id.");
      // Its own object: the schema's has another order.
      const [choice] = (answer as Answer).choices;
      const params = choice!.disaggregated_params;
      // The prefill engine has used its encoder's handles, and a generation request with some is refused.
      const own = request.encoded === undefined ? params : withoutMedia(params);
      return {
        fields: { disaggregated_params: { ...own, request_type: "generation_only" } },
        cachedTokens: undefined,
      };
    },
  }),
};

const answerSchema = z.looseObject({
  choices: z
    .array(
      z.looseObject({
        // Without it, the generation engine would look for nothing, or for another request's context.
        disaggregated_params: z.looseObject({ ctx_request_id: z.custom(isInteger) }),
      }),
    )
    .min(1),
});

type Answer = z.infer<typeof answerSchema>;
