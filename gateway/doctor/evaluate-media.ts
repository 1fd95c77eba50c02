import type { Evidence } from "./evidence.ts";
import type { Check } from "./types.ts";

const id = "media";

/** Checks that pictures in prompts are recognised by the engine's KV events, and told apart. */
export function evaluateMedia({ media, blockSize, profile }: Evidence): Check[] {
  // Most models take no pictures.
  if (media === undefined || "refusal" in media) return [];
  if (media.prompt.media.length === 0)
    return [
      {
        id,
        status: "note",
        text: "The gateway cannot tell where pictures are in its prompts.",
        cost: "Requests with pictures are routed by what earlier ones looked like, not by what the engine has cached.",
        fix: "Give the model's folder with --tokenizer; if it is given, its family is not known yet.",
      },
    ];
  const { prompt, first, second, other, knownBlocks, knownOfOther } = media;
  const { length } = prompt.tokens;
  if (first.promptTokens !== undefined && first.promptTokens !== length)
    return [
      {
        id,
        status: "problem",
        text: `A prompt with a picture has ${first.promptTokens} tokens in the engine, and ${length} as the gateway reads it.`,
        cost: "Requests with pictures are routed by what earlier ones looked like, not by what the engine has cached.",
        fix: "Give the model's folder with --tokenizer, so that the gateway reads how its pictures become tokens.",
      },
    ];
  const wholeBlocks = Math.floor(length / blockSize);
  if (knownBlocks < wholeBlocks)
    return [
      {
        id,
        status: "problem",
        text: `Of ${wholeBlocks} blocks of a prompt with a picture, its KV events name ${knownBlocks} as the router would.`,
        cost: "A picture that was sent before is not found again, unless the router itself sent it there.",
        fix:
          profile.kind === "vllm"
            ? "Use vLLM 0.11 or newer, which takes the gateway's ids of media."
            : "This kind of engine does not name media in a way that can be predicted.",
      },
    ];
  const expected = Math.floor((length - 1) / blockSize) * blockSize;
  const told = second.cachedTokens;
  const isTold = told === undefined || told === expected;
  const isApart = knownOfOther < wholeBlocks && (other.cachedTokens ?? 0) < expected;
  if (isTold && isApart)
    return [
      {
        id,
        status: "ok",
        text: `A prompt with a picture is recognised by all its ${wholeBlocks} blocks${told === undefined ? "" : `, and ${told} of its ${length} tokens came from the cache`}; another picture is told apart.`,
      },
    ];
  return [
    {
      id,
      status: "problem",
      text: isApart
        ? `Of a prompt with a picture, ${told} tokens came from its cache; ${expected} should have.`
        : "Another picture of the same size was taken for the first one.",
      cost: isApart
        ? "It computes the same pictures again."
        : "Clients could get answers about other clients' pictures.",
      fix: "Report this with the engine's version; until then, start it with --no-enable-prefix-caching.",
    },
  ];
}
