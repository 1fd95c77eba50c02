import { choice, number, text, toggle } from "../spec.ts";
import { file } from "./access.ts";

/** KV blocks between prefill and decode workers. */
export const kvTransfer = {
  "kv-transfer": choice(["auto", "nixl", "shared-memory", "tcp"], {
    describe: "How KV travels between workers; auto takes the best way that there is.",
    default: "auto",
  }),
  "kv-transfer-timeout": number({
    describe:
      "Seconds for a KV transfer, at most a fifth of them idle; then the worker computes the prompt itself.",
    default: 10,
    min: 0.001,
    max: 3600,
    int: false,
  }),
  "kv-lease": number({
    describe: "Seconds for which a prefill worker holds a prompt's KV at most.",
    default: 30,
    min: 0.001,
    max: 3600,
    int: false,
  }),
  "encoded-bytes": number({
    describe: "Most bytes of encoded media that an encode worker holds for others. Default: 256 MiB.",
    default: 256 * 1024 * 1024,
    min: 1,
  }),
};

/** KV events for subscribers of vLLM's format. */
export const kvEvents = {
  "kv-events-endpoint": text({
    describe:
      "Also publishes KV events in vLLM's ZeroMQ format; rank r uses port + r, port 0 picks a free one.",
    placeholder: "tcp://HOST:PORT",
  }),
  "kv-events-topic": text({ describe: "Topic of those messages. Default: empty.", placeholder: "TOPIC" }),
  "kv-events-replay-endpoint": text({
    describe: "Where subscribers can request lost batches; ports as above.",
    placeholder: "tcp://HOST:PORT",
  }),
  "kv-events-buffer": number({
    describe: "Batches to keep for replays, per rank.",
    default: 10_000,
    min: 1,
    max: 1_000_000,
  }),
};

/** KV events that tell nothing about prompts. */
export const privacy = {
  "private-kv-events": toggle(
    "KV events with keyed hashes in place of token ids; needs --kv-events-key, the same for workers and gateways.",
  ),
  "kv-events-key": file(
    "Secret of private KV events, which it also turns on: 16 random bytes or more, the same for workers and gateways.",
  ),
};
