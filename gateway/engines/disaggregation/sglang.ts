import { COMPLETIONS } from "./one-token.ts";
import type { Disaggregation } from "./types.ts";

/** SGLang's default `--disaggregation-bootstrap-port`. */
const BOOTSTRAP_PORT = 8998;

/**
 * SGLang. Both engines get the whole request at once, with the same random room, in which they meet through the prefill
 * engine's bootstrap server. The decode engine's answer is the client's; it cannot compute a prompt itself.
 */
export const sglangDisaggregation: Disaggregation = {
  decodesAlone: false,
  obstacleOf({ path, body }) {
    if (!COMPLETIONS.has(path)) return `requests to ${path} are not divided`;
    return typeof body.n === "number" && body.n > 1 ? "it has several choices" : undefined;
  },
  flagFor: (role) => (role === "encode" ? "--encoder-only" : `--disaggregation-mode ${role}`),
  divide({ body, prefill }) {
    const { hostname } = new URL(prefill.url);
    const port = prefill.bootstrapPort ?? BOOTSTRAP_PORT;
    const size = batchOf(body);
    const each = <Value>(value: () => Value) =>
      size === undefined ? value() : Array.from({ length: size }, value);
    const decodeFields = {
      // IPv6 addresses without their brackets.
      bootstrap_host: each(() => hostname.replace(/^\[|\]$/g, "")),
      bootstrap_port: each(() => port),
      bootstrap_room: each(room),
    };
    return {
      prefillFields: { ...decodeFields, stream: false, stream_options: undefined },
      decodeFields,
      validMs: undefined,
      readAnswer: () => ({ fields: {}, cachedTokens: undefined }),
    };
  },
};

/** How many prompts the request has, if it is a batch. */
function batchOf({ prompt }: Readonly<Record<string, unknown>>): number | undefined {
  return Array.isArray(prompt) && prompt.some((one) => typeof one !== "number") ? prompt.length : undefined;
}

/** A random number that no other request has: SGLang takes 63 bits, of which JSON numbers keep 53. */
function room(): number {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  return (high & 0x1fffff) * 2 ** 32 + low;
}
