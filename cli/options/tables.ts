import { workerRoles } from "#runtime";
import { access, encryption, engineEncryption, file, keysOption, workerEncryption } from "./groups/access.ts";
import { admission } from "./groups/admission.ts";
import { attachment, engineOptions, modelNaming, seconds, trying } from "./groups/attach.ts";
import { common, stopping } from "./groups/common.ts";
import { discovery, events, nats, peers } from "./groups/discovery.ts";
import { http } from "./groups/http.ts";
import { kvEvents, kvTransfer, privacy } from "./groups/kv.ts";
import { media } from "./groups/media.ts";
import { mocker } from "./groups/mocker.ts";
import { model, modelFolder } from "./groups/model.ts";
import { disaggregation, routing } from "./groups/routing.ts";
import { choice, list, number, type OptionSpecs, type OptionValues, text, toggle } from "./spec.ts";

/** Options shared by all commands that run a gateway in this process. */
export const servingOptions = {
  ...http,
  ...access,
  ...media,
  ...encryption,
  ...routing,
  ...disaggregation,
  ...admission,
  ...trying,
  ...stopping,
  ...common,
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
  isolation: toggle("Examines whether two keys of a gateway can see each other's cached prompts."),
  "client-keys": list({
    describe: "Two API keys of the gateway, for --isolation.",
    placeholder: "KEY,KEY",
  }),
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
  role: choice(workerRoles, {
    describe: "What the worker computes: all, prompts, answers or media.",
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
  group: text({
    describe: "The key's group; with --isolate group, the keys of a group share cached prompts.",
    placeholder: "NAME",
  }),
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
  ...media,
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
  "encode-workers": number({
    describe: "Worker processes that only encode media, for the others. See docs/multimodal.md.",
    default: 0,
    min: 0,
    max: 256,
  }),
  ocr: text({
    describe:
      "Folder of OCR models: starts a worker that reads pictures for a model without media. See docs/ocr.md.",
    placeholder: "FOLDER",
  }),
  "hang-timeout": number({
    describe: "Seconds after which an unresponsive process is restarted.",
    default: 30,
    min: 1,
    max: 3600,
    int: false,
  }),
  engine: text({
    describe: "llama, moonshine, ocr, mocker, echo, or the path of a worker module.",
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
