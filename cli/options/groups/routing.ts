import { DEFAULT_DISAGGREGATION, POLICY_NAMES } from "#gateway/choices";
import { DEFAULT_WEIGHTS } from "#router-wasm";
import { choice, number } from "../spec.ts";

/** How a worker is chosen, and what the router remembers. */
export const routing = {
  policy: choice(POLICY_NAMES, {
    describe: "How a worker is chosen (docs/routing.md).",
    default: "kv",
  }),
  "overlap-credit": number({
    describe: "Value of a cached block, in blocks of prefill.",
    default: DEFAULT_WEIGHTS.overlapCredit,
    min: 0,
    int: false,
  }),
  "credit-decay": number({
    describe: "How fast that value falls on workers with more prefill waiting.",
    default: 0,
    min: 0,
    int: false,
  }),
  "prefill-load-scale": number({
    describe: "Factor on the prefill term of the cost.",
    default: DEFAULT_WEIGHTS.prefillLoadScale,
    min: 0,
    int: false,
  }),
  "recent-prefill-weight": number({
    describe: "Cost, in blocks, of each block that the worker prefilled recently.",
    default: DEFAULT_WEIGHTS.recentPrefillWeight,
    min: 0,
    int: false,
  }),
  "recent-prefill-window": number({
    describe: "Seconds after which that cost has decayed to 1/e.",
    default: DEFAULT_WEIGHTS.recentPrefillSeconds,
    min: 0,
    max: 86_400,
    int: false,
  }),
  "host-credit": number({
    describe: "Value of a block that the worker has in host memory.",
    default: DEFAULT_WEIGHTS.hostCredit,
    min: 0,
    int: false,
  }),
  "disk-credit": number({
    describe: "Value of a block that the worker has on disk.",
    default: DEFAULT_WEIGHTS.diskCredit,
    min: 0,
    int: false,
  }),
  "active-request-weight": number({
    describe:
      "Cost of a running request in blocks. Default: 96,000 tokens divided by the engine's sequences.",
    min: 0,
    int: false,
  }),
  "router-temperature": number({
    describe: "Above 0, samples among workers instead of choosing the cheapest.",
    default: 0,
    min: 0,
    int: false,
  }),
  "session-affinity": choice(["off", "soft", "hard"], {
    describe: "A session's requests go to one worker: if it has room (soft), or while it exists (hard).",
    default: "off",
  }),
  "session-ttl": number({
    describe: "Seconds that a session is kept after its last request.",
    default: 600,
    min: 1,
    max: 30 * 86_400,
    int: false,
  }),
  "session-from": choice(["none", "user", "prompt_cache_key"], {
    describe: "OpenAI field that names the session if stator.session is absent.",
    default: "none",
  }),
  "prediction-ttl": number({
    describe:
      "Seconds that a prompt counts as cached on its worker before KV events confirm it; 0 turns this off.",
    default: 20,
    min: 0,
    max: 86_400,
    int: false,
  }),
  "approximate-ttl": number({
    describe: "The same for workers that send no KV events.",
    default: 600,
    min: 0,
    max: 86_400,
    int: false,
  }),
  "index-workers": number({
    describe: "Most workers of a model, counting each data-parallel rank.",
    default: 1024,
    min: 1,
    max: 65_536,
  }),
  "index-blocks": number({
    describe:
      "Most distinct KV blocks to index per model, fewer if prompts diverge early; beyond, the oldest are forgotten.",
    default: 4_194_304,
    min: 1,
    max: 134_217_728,
  }),
  "index-memory": number({
    describe: "Most memory of a model's index in MiB; beyond, the oldest blocks are forgotten.",
    default: 4096,
    min: 16,
    max: 4096,
  }),
  "decision-log": number({
    describe: "Recent decisions to keep per model; 0 keeps none.",
    default: 256,
    min: 0,
    max: 100_000,
  }),
};

/** When a prefill worker computes a prompt. */
export const disaggregation = {
  "remote-prefill-min-tokens": number({
    describe:
      "Fewest uncached prompt tokens that a prefill worker computes; the decode worker computes shorter ones.",
    default: DEFAULT_DISAGGREGATION.minTokens,
    min: 0,
  }),
  "remote-prefill-min-share": number({
    describe: "The same as a share of the prompt: if more is cached, the decode worker computes the rest.",
    default: DEFAULT_DISAGGREGATION.minShare,
    min: 0,
    max: 1,
    int: false,
    placeholder: "0..1",
  }),
  "remote-prefill-max-wait": number({
    describe:
      "How many times as long as on the decode worker the prefill may take, with its queue and the transfer.",
    default: DEFAULT_DISAGGREGATION.maxWait,
    min: 0,
    int: false,
  }),
};
