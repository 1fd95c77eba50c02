import { z } from "zod";
import type { Encoded, MediaEncoding } from "./types.ts";

const CHAT = "/v1/chat/completions";

/** Fields of a chat that affect how its media are encoded. */
const MEDIA_FIELDS = ["mm_processor_kwargs", "media_io_kwargs", "priority"];

/**
 * vLLM's encoder separation (`--ec-transfer-config`). The encoder is asked for a chat with nothing but the media, and
 * answers with one entry of `ec_transfer_params` for each id; the engine that computes the prompt finds the embeddings
 * by their ids.
 */
export const vllmEncoding: MediaEncoding = {
  unit: "medium",
  request: ({ body }, media) => ({
    path: CHAT,
    body: {
      model: body.model,
      messages: [{ role: "user", content: media.map(({ part, id }) => ({ ...part, uuid: id })) }],
      stream: false,
      ...Object.fromEntries(
        MEDIA_FIELDS.filter((name) => body[name] !== undefined).map((name) => [name, body[name]]),
      ),
    },
  }),
  readAnswer(answer, ids) {
    const { data } = answerSchema.safeParse(answer);
    const found = new Map<string, Encoded>();
    for (const id of ids) {
      const entry = data?.ec_transfer_params[id];
      if (entry === undefined)
        throw new Error(
          "Its answer has no ec_transfer_params for all media: was it started with --ec-transfer-config?",
        );
      const { metadata } = entry;
      const isKnown = metadata != null && Object.keys(metadata).length > 0;
      found.set(id, {
        // Its own object: the schema's has another order.
        transfer: (answer as Answer).ec_transfer_params[id],
        metadata: isKnown ? metadata : undefined,
      });
    }
    return found;
  },
  fields: (encoded) => ({
    ec_transfer_params: Object.fromEntries(Array.from(encoded, ([id, { transfer }]) => [id, transfer])),
  }),
  partWithout(kind, id, { metadata }) {
    if (metadata === undefined) return undefined;
    const type = `${kind}_embeds`;
    return { type, [type]: metadata, uuid: id };
  },
};

const answerSchema = z.looseObject({
  ec_transfer_params: z.record(
    z.string(),
    z.looseObject({ metadata: z.record(z.string(), z.unknown()).nullish() }),
  ),
});

type Answer = z.infer<typeof answerSchema>;
