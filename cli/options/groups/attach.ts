import { z } from "zod";
import { REASONING_PARSERS, TOOL_PARSERS } from "#gateway/choices";
import { enginesOption } from "../engines.ts";
import { adapters, list, number, optionalChoice, pairs, text } from "../spec.ts";

/** A timeout. */
export const seconds = (describe: string, byDefault: number) =>
  number({ describe, default: byDefault, min: 0.001, max: 86_400, int: false });

/** The engines to attach, and what they do not report. */
export const engineOptions = {
  engines: enginesOption,
  prefill: list({
    describe:
      "Engines that compute prompts, and hand the KV blocks to decode engines; several after one flag.",
    placeholder: "URL…",
    takesMore: true,
  }),
  decode: list({
    describe:
      "Engines that answer from the KV blocks of prefill engines, and without any compute prompts themselves.",
    placeholder: "URL…",
    takesMore: true,
  }),
  encode: list({
    describe: "Engines that only encode images, audio and video for those that compute prompts.",
    placeholder: "URL…",
    takesMore: true,
  }),
  tokenizer: list({
    describe:
      "Folders (or hub ids) with the models' tokenizer.json, if not on this machine already; MODEL=DIR for one of several models.",
    placeholder: "DIR",
  }),
  "engine-kv-lease": number({
    describe:
      "Seconds for which vLLM's prefill engines keep KV blocks, their kv_lease_duration. Default: 30.",
    min: 0.001,
    max: 86_400,
    int: false,
  }),
  "kv-events": text({
    describe: "Where engines publish KV events, if they do not report it; * is each engine's host.",
    placeholder: "tcp://*:PORT",
  }),
  "kv-events-replay": text({
    describe: "Where those engines replay lost events.",
    placeholder: "tcp://*:PORT",
  }),
  "engine-key": text({ describe: "Key for the engines, sent as a bearer token.", placeholder: "KEY" }),
};

/** Aliases and fallbacks of models. */
export const modelNaming = {
  "model-alias": pairs({
    describe: "Aliases: requests for NAME go to MODEL.",
    placeholder: "NAME=MODEL,…",
  }),
  "model-fallback": pairs({
    describe:
      "Models that answer when MODEL's workers are down, busy or failing; several are tried in order.",
    placeholder: "MODEL=OTHER,…",
  }),
};

/** A Kubernetes service. */
const service = z
  .string()
  .regex(/^([a-z\d][a-z\d.-]*\/)?[a-z\d][a-z\d.-]*(:[a-z\d-]+)?$/, "it must be [NAMESPACE/]NAME[:PORT]");

/** Engines in a Kubernetes cluster. */
const kubernetes = {
  "kubernetes-service": list({
    describe: "Services whose ready pods are attached, and followed as they change.",
    placeholder: "[NAMESPACE/]NAME[:PORT],…",
    item: service,
  }),
  "kubernetes-encode-service": list({
    describe: "The same for services whose pods are encode engines.",
    placeholder: "[NAMESPACE/]NAME[:PORT],…",
    item: service,
  }),
  "kubernetes-prefill-service": list({
    describe: "The same for services whose pods are prefill engines.",
    placeholder: "[NAMESPACE/]NAME[:PORT],…",
    item: service,
  }),
  "kubernetes-decode-service": list({
    describe: "The same for services whose pods are decode engines.",
    placeholder: "[NAMESPACE/]NAME[:PORT],…",
    item: service,
  }),
  "kubernetes-selector": text({
    describe: "Label selector of ready pods to attach, such as app=vllm,tier!=test.",
    placeholder: "SELECTOR",
  }),
  "kubernetes-namespace": text({
    describe: "Namespace of both. Default: the pod's own, or that of the kubeconfig's context.",
    placeholder: "NAME",
  }),
  "kubernetes-port": text({
    describe: "Name or number of the engines' port. Default: the only one, or the one named http.",
    placeholder: "PORT",
  }),
  kubeconfig: text({
    describe: "How to reach the cluster. Default: KUBECONFIG, the pod's service account, or ~/.kube/config.",
    placeholder: "FILE",
  }),
};

/** How `stator attach` finds and checks engines. */
export const attachment = {
  ...kubernetes,
  "connect-timeout": seconds("Longest time in seconds for an engine to accept a connection.", 2),
  ...modelNaming,
  "tool-parser": optionalChoice(["auto", ...TOOL_PARSERS], {
    describe: "Finds tool calls that engines leave in the text of chats (docs/attach.md). Default: none.",
    placeholder: "auto|NAME",
  }),
  "reasoning-parser": optionalChoice(["auto", ...REASONING_PARSERS], {
    describe: "Finds reasoning that engines leave there. Default: auto with --tool-parser auto, else none.",
    placeholder: "auto|NAME",
  }),
  lora: adapters({
    describe:
      "LoRA adapters to load into each engine that lacks them, by their path on its machine; see docs/lora.md.",
    placeholder: "NAME=PATH,…",
  }),
  "health-interval": seconds("Seconds between health checks of an engine.", 2),
  "health-timeout": seconds("Longest time in seconds for an engine to answer a health check.", 2),
  "health-failures": number({
    describe: "Failed health checks in a row before an engine is set aside.",
    default: 3,
    min: 1,
    max: 100,
  }),
};

/** Retries, failover and timeouts of requests. */
export const trying = {
  processes: number({
    describe:
      "Processes that serve the port, for more streams than one core can carry; one more routes for all. Linux only.",
    default: 1,
    min: 1,
    max: 256,
  }),
  "first-token-timeout": seconds(
    "Longest time in seconds from a request to the first byte of its answer.",
    300,
  ),
  "encode-max-wait": seconds(
    "Seconds that a request waits for encode engines; then the next engine encodes its media.",
    30,
  ),
  "idle-timeout": seconds("Longest pause in seconds between two pieces of an answer.", 60),
  retries: number({
    describe: "Further attempts on other workers, until the first part of the answer has been sent.",
    default: 3,
    min: 0,
    max: 100,
  }),
  "migration-limit": number({
    describe: "How often a broken answer is continued on another worker.",
    default: 3,
    min: 0,
    max: 100,
  }),
  "slow-start": number({
    describe: "Seconds until a worker that joins later gets its full share of requests; 0: at once.",
    default: 10,
    min: 0,
    max: 86_400,
    int: false,
  }),
};
