import { z } from "zod";
import { DEFAULT_DISAGGREGATION, POLICY_NAMES, REASONING_PARSERS, TOOL_PARSERS } from "#gateway";
import { DEFAULT_WEIGHTS } from "#router-wasm";
import { access, encryption, engineEncryption, file, keysOption, workerEncryption } from "./access.ts";
import { attachment, engineOptions, modelNaming, seconds, trying } from "./attach.ts";
import {
  amountOrShare,
  choice,
  list,
  number,
  type OptionSpecs,
  type OptionValues,
  optionalChoice,
  text,
  toggle,
} from "./spec.ts";

/** Options of every command. */
const common = {
  config: text({
    describe: "YAML file with options; 'none' reads none. Default: stator.yaml, if there is one.",
    placeholder: "FILE",
  }),
  "log-level": choice(["error", "warn", "info", "debug"], {
    describe: "Log level; debug logs each routing decision.",
    default: "info",
  }),
  "log-format": choice(["text", "json"], {
    describe: "Format of the log: text for people, json for programs.",
    default: "text",
  }),
  "drain-timeout": number({
    describe: "Seconds that running requests get to finish after a stop.",
    default: 30,
    min: 0,
    max: 3600,
    int: false,
  }),
  "drain-within": number({
    describe: "Seconds after which answers still running on a leaving worker or engine move to another.",
    default: 5,
    min: 0,
    max: 3600,
    int: false,
  }),
};

const http = {
  host: text({
    describe: "Address to listen on; 0.0.0.0 admits other machines, which needs --keys or --open.",
    default: "127.0.0.1",
    placeholder: "ADDR",
  }),
  port: number({ describe: "Port of the API; 0 picks a free one.", default: 8000, min: 0, max: 65_535 }),
  "body-limit": number({
    describe: "Largest request body in bytes; the default allows OpenAI's 25 MB of audio.",
    default: 26 * 1024 * 1024,
    min: 1024,
    placeholder: "BYTES",
  }),
  "request-timeout": number({
    describe: "Longest time in seconds from dispatch to the last token of the answer.",
    default: 600,
    min: 0.001,
    int: false,
  }),
  translate: choice(["auto", "always", "never"], {
    describe: "Turns Messages and Responses into chats for engines: if one lacks the API (auto).",
    default: "auto",
  }),
  "responses-store": text({
    describe: "Where responses are kept; gateways can share a folder. Default: 64 MB of memory.",
    placeholder: "memory|file:DIR",
  }),
};

const routing = {
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

const disaggregation = {
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

const admission = {
  "busy-decode-blocks": number({
    describe: "A worker is busy while requests hold this share of its KV blocks. Default: never.",
    min: 0.01,
    max: 1,
    int: false,
    placeholder: "0..1",
  }),
  "busy-prefill-tokens": amountOrShare({
    describe:
      "A worker is busy while this many prompt tokens wait on it; % of its max batched tokens. Default: never.",
  }),
  "queue-threshold": number({
    describe:
      "Requests queue once this many prefill steps (of max batched tokens) wait on every worker. Default: never.",
    min: 0.01,
    max: 1_000_000,
    int: false,
  }),
  "queue-limit": number({ describe: "Most queued requests per model.", default: 1024, min: 1 }),
  "queue-policy": choice(["fcfs", "shortest"], {
    describe: "Order within a priority and tenant: by arrival, or the shortest uncached prompt first.",
    default: "fcfs",
  }),
  "queue-timeout": number({
    describe: "Longest time in the queue in seconds.",
    default: 60,
    min: 0.001,
    max: 86_400,
    int: false,
  }),
  "tenant-weights": list({
    describe: "Tenants' shares of the queue; the default is 1.",
    placeholder: "NAME=N,…",
    item: z.string().regex(/^[^=,\s]+=(?=.*[1-9])\d+(\.\d+)?$/, "it must be NAME=WEIGHT, such as batch=0.5"),
  }),
  "tenant-from": choice(["none", "user"], {
    describe: "OpenAI field that names the tenant if stator.tenant is absent.",
    default: "none",
  }),
};

const modelFolder = text({
  describe: "Folder for downloaded models. Default: ~/.cache/stator/models.",
  placeholder: "DIR",
});

const model = {
  model: text({
    describe:
      "Name such as qwen3:0.6b (stator models), GGUF file, https: URL, or hf:owner/repo[@rev]/file.gguf. Default: smollm2:135m.",
    placeholder: "MODEL",
  }),
  "model-name": text({
    describe: "The model's name in the API. Default: that of --model, or the file's.",
    placeholder: "NAME",
  }),
  alias: list({ describe: "Additional names of the model." }),
  "tool-parser": optionalChoice(TOOL_PARSERS, {
    describe: "Format of the model's tool calls; see docs/api.md. Default: by its chat template and name.",
    placeholder: "NAME",
  }),
  "reasoning-parser": optionalChoice(REASONING_PARSERS, {
    describe: "Format of the model's reasoning; see docs/api.md. Default: by its chat template and name.",
    placeholder: "NAME",
  }),
  "model-folder": modelFolder,
  "context-length": number({
    describe:
      "Longest prompt plus answer in tokens. Default: the model's own, at most 4,096. llama.cpp rounds up to multiples of 256.",
    min: 16,
  }),
  sequences: number({
    describe: "Concurrent requests per worker. Default: 4 (llama).",
    min: 1,
    max: 4096,
  }),
  gpu: choice(["off", "auto", "cuda", "vulkan", "metal"], {
    describe: "Lets llama.cpp use a GPU; cuda and vulkan builds are downloaded on first use.",
    default: "off",
  }),
  delay: number({
    describe: "Milliseconds between two tokens of the echo engine.",
    default: 0,
    min: 0,
    int: false,
  }),
  tag: list({
    describe: "Tag by which requests can select the worker; repeatable.",
    placeholder: "KEY=VALUE",
    item: z.string().regex(/^[^=,\s]+=[^,\s]+$/, "it must be key=value, such as gpu=h100"),
  }),
  tokenizer: text({ describe: "tokenizer.json, for engines without a tokenizer.", placeholder: "FILE" }),
};

const mocker = {
  "block-size": number({ describe: "Tokens per KV block of the mocker. Default: 64.", min: 1, max: 512 }),
  "total-blocks": number({ describe: "KV blocks of the mocker. Default: 16,384.", min: 1, max: 16_777_216 }),
  "max-batched-tokens": number({
    describe: "Tokens per step of the mocker. Default: 8,192.",
    min: 1,
  }),
  "data-parallel-size": number({
    describe: "Data-parallel ranks of the mocker, each with its own blocks and scheduler.",
    default: 1,
    min: 1,
    max: 256,
  }),
  "startup-time": number({
    describe: "Seconds that the mocker takes to start, like an engine that loads a model.",
    default: 0,
    min: 0,
    max: 3600,
    int: false,
  }),
  "kv-bandwidth": number({
    describe: "Speed of KV between mock workers, in GB/s. Default: 50, a link of 400 Gb/s.",
    min: 0.001,
    int: false,
  }),
  "kv-bytes-per-token": number({
    describe:
      "Size of a token's KV in the mocker. Default: 131,072, an 8-billion-parameter model's in 16 bits.",
    min: 0,
  }),
  fault: list({
    describe:
      "Fault to inject into the mocker: hang, crash, error, slow, wrong-events or kv, with parameters as in docs/workers.md.",
    placeholder: "KIND[:NAME=VALUE]…",
  }),
  "fault-seed": number({
    describe: "Seed of the faults; the same seed hits the same requests.",
    default: 1,
    min: 0,
    max: 2 ** 31,
  }),
  speedup: number({
    describe: "How many times as fast as an H100 the mocker is; 0 takes no time.",
    default: 1,
    min: 0,
    int: false,
  }),
};

const kvTransfer = {
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
};

const kvEvents = {
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

const privacy = {
  "private-kv-events": toggle(
    "KV events with keyed hashes in place of token ids; needs --kv-events-key, the same for workers and gateways.",
  ),
  "kv-events-key": file(
    "Secret of private KV events, which it also turns on: 16 random bytes or more, the same for workers and gateways.",
  ),
};

const discovery = text({
  describe:
    "Where workers and gateways meet: file:/dir on one machine, etcd://HOST:PORT, nats://HOST:PORT, kubernetes:SERVICE.",
  placeholder: "URL",
});

const events = text({
  describe:
    "Where gateways get KV events: workers; or nats://HOST:PORT, once for all; nats: for the servers in use.",
  default: "workers",
  placeholder: "URL",
});

const stopping = {
  "drain-delay": number({
    describe:
      "Seconds after SIGTERM during which the port stays open with /health at 503, so that load balancers notice.",
    default: 1,
    min: 0,
    max: 3600,
    int: false,
  }),
};

/** Options shared by all commands that run a gateway in this process. */
export const servingOptions = {
  ...http,
  ...access,
  ...encryption,
  ...routing,
  ...disaggregation,
  ...admission,
  ...trying,
  ...stopping,
  ...common,
};

const nats = text({
  describe: "NATS servers for workers that listen on nats:. Default: those of --discovery nats://….",
  placeholder: "URL",
});

/** How the gateways in front of the same workers find and reach each other. */
const peers = {
  "peer-listen": text({
    describe:
      "Address for other gateways to share load: tcp:host:port, unix:/path, nats: or none. Default: as for workers.",
    placeholder: "ADDR",
  }),
  "peer-advertise": text({
    describe: "Address at which other gateways reach that port. Default: as for workers.",
    placeholder: "HOST[:PORT]",
  }),
  nats,
  ...workerEncryption,
};

export const gatewayOptions = {
  ...servingOptions,
  discovery,
  events,
  ...privacy,
  ...peers,
  ...modelNaming,
};

export const attachOptions = {
  ...engineOptions,
  ...attachment,
  ...servingOptions,
  discovery: text({
    describe:
      "Where gateways in front of the same engines find each other to share load, such as etcd://HOST:PORT.",
    placeholder: "URL",
  }),
  ...peers,
};

export const doctorOptions = {
  ...engineOptions,
  ...engineEncryption,
  discovery: text({
    describe: "Examines the cluster on this discovery, instead of engines.",
    placeholder: "URL",
  }),
  nats,
  events,
  ...workerEncryption,
  timeout: seconds("Timeout in seconds for an answer, a connection or an event.", 10),
  json: toggle("Prints the findings as JSON."),
  config: common.config,
};

export const workerOptions = {
  discovery,
  events,
  name: text({
    describe:
      "Name of the worker in logs and in the header x-stator-worker. Default: engine-pid; the pod's with kubernetes:.",
    placeholder: "NAME",
  }),
  listen: text({
    describe:
      "Where to listen: unix:/path, tcp:host:port or nats:. Default: a free port on a remote store's network; kubernetes: 7000.",
    placeholder: "ADDR",
  }),
  advertise: text({
    describe:
      "Address at which gateways reach that port. Default: the one listened on, or this machine's for 0.0.0.0.",
    placeholder: "HOST[:PORT]",
  }),
  nats,
  "tls-cert": file(
    "Certificate (PEM, with its chain) to serve the request plane; changes take effect at once.",
  ),
  "tls-key": file("Its key (PEM)."),
  "tls-client-ca": file("Certificate authorities (PEM) of gateways; they must then present a certificate."),
  "ops-host": text({
    describe: "Address for /health and /metrics; 0.0.0.0 lets other machines read them.",
    default: "127.0.0.1",
    placeholder: "ADDR",
  }),
  "ops-port": number({
    describe: "Port for /health and /metrics; 0 picks a free one.",
    default: 0,
    min: 0,
    max: 65_535,
  }),
  workers: number({
    describe: "Mock workers in this process, each a separate worker named mocker-0 and so on.",
    default: 1,
    min: 1,
    max: 1024,
  }),
  role: choice(["aggregated", "prefill", "decode"], {
    describe: "Computes prompts (prefill), continues from their KV (decode), or both.",
    default: "aggregated",
  }),
  threads: number({ describe: "CPU threads of the engine. Default: all cores.", min: 1, max: 1024 }),
  namespace: text({ describe: "First part of the endpoint's name.", default: "default" }),
  ...model,
  ...mocker,
  ...kvTransfer,
  ...kvEvents,
  ...privacy,
  ...common,
};

export const modelsOptions = {
  "model-folder": modelFolder,
  json: toggle("Prints the result as JSON."),
  config: common.config,
};

export const keysOptions = {
  keys: keysOption,
  models: list({
    describe: "Names or patterns (llama-*) of the models that the key can use. Default: all.",
    placeholder: "NAME,…",
  }),
  "requests-per-minute": number({ describe: "The key's limit on requests per minute.", min: 1 }),
  "tokens-per-minute": number({
    describe: "The key's limit on tokens per minute, of prompts and answers.",
    min: 1,
  }),
  expires: text({
    describe: "When the key expires: 2027-01-31, or 2027-01-31T12:00:00Z.",
    placeholder: "DATE",
  }),
  admin: toggle("Lets the key also use /admin, /metrics and /v1/router."),
  grace: number({
    describe: "Seconds for which the old key stays valid after rotate.",
    default: 0,
    min: 0,
    max: 365 * 86_400,
  }),
  config: common.config,
};

export const upOptions = {
  ...http,
  ...access,
  cluster: toggle(
    "Runs etcd, NATS, two gateways (the second one on the next port) and the workers, as on several machines.",
  ),
  workers: number({
    describe:
      "Worker processes; the cores are divided among all. Default: 2; 0 with prefill or decode workers.",
    min: 0,
    max: 256,
  }),
  "prefill-workers": number({
    describe: "Worker processes that only compute prompts, for decode workers.",
    default: 0,
    min: 0,
    max: 256,
  }),
  "decode-workers": number({
    describe: "Worker processes that continue from the KV of prefill workers.",
    default: 0,
    min: 0,
    max: 256,
  }),
  "hang-timeout": number({
    describe: "Seconds after which an unresponsive process is restarted.",
    default: 30,
    min: 1,
    max: 3600,
    int: false,
  }),
  engine: text({
    describe: "llama, mocker, echo, or the path of a worker module.",
    default: "llama",
    placeholder: "ENGINE",
  }),
  ...model,
  ...mocker,
  ...kvTransfer,
  ...kvEvents,
  ...privacy,
  "private-kv-events": toggle(
    "KV events with keyed hashes in place of token ids; makes a key for this run if there is no --kv-events-key.",
  ),
  events,
  ...modelNaming,
  ...routing,
  ...disaggregation,
  ...trying,
  ...admission,
  ...common,
};

export type UpOptions = OptionValues<typeof upOptions>;

/** Every option of every command, to tell a misspelt option from one of another command. */
export const allOptions: OptionSpecs = {
  ...gatewayOptions,
  ...workerOptions,
  ...upOptions,
  ...attachOptions,
  ...doctorOptions,
  ...keysOptions,
  ...modelsOptions,
};
