import { z } from "zod";
import { enginesOption } from "./engines.ts";
import { list, number, pairs, text } from "./spec.ts";

/** A time-out of an engine's. */
export const seconds = (describe: string, byDefault: number) =>
  number({ describe, default: byDefault, min: 0.001, max: 86_400, int: false });

/** How engines that already run are found and understood. */
export const engineOptions = {
  engines: enginesOption,
  tokenizer: list({
    describe:
      "Folders (or hub ids) with the models' tokenizer.json, where the engines' own are on other machines; MODEL=DIR for one of several models.",
    placeholder: "DIR",
  }),
  "kv-events": text({
    describe: "Where engines publish KV events that do not tell so themselves; * is each engine's host.",
    placeholder: "tcp://*:PORT",
  }),
  "kv-events-replay": text({
    describe: "Where the same engines send lost events again.",
    placeholder: "tcp://*:PORT",
  }),
  "engine-key": text({ describe: "Key that the engines want, as a bearer token.", placeholder: "KEY" }),
};

/** Further names of models, and which answer in whose place. */
export const modelNaming = {
  "model-alias": pairs({
    describe: "Further names of models: requests for NAME are answered by MODEL.",
    placeholder: "NAME=MODEL,…",
  }),
  "model-fallback": pairs({
    describe:
      "Models that answer in the place of others whose workers are down, busy or failing; of several, in this order.",
    placeholder: "MODEL=OTHER,…",
  }),
};

/** Where in a Kubernetes cluster engines are. */
const kubernetes = {
  "kubernetes-service": list({
    describe: "Services whose ready pods are engines, followed as they come and go.",
    placeholder: "[NAMESPACE/]NAME[:PORT],…",
    item: z
      .string()
      .regex(/^([a-z\d][a-z\d.-]*\/)?[a-z\d][a-z\d.-]*(:[a-z\d-]+)?$/, "it must be [NAMESPACE/]NAME[:PORT]"),
  }),
  "kubernetes-selector": text({
    describe: "Label selector of ready pods that are engines, such as app=vllm,tier!=test.",
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
    describe: "How to reach the cluster. Default: the pod's service account, or ~/.kube/config.",
    placeholder: "FILE",
  }),
};

/** How `stator attach` finds engines, and how hard it tries them. */
export const attachment = {
  ...kubernetes,
  "connect-timeout": seconds("Longest time in seconds that an engine may take to accept a connection.", 2),
  ...modelNaming,
  "health-interval": seconds("Seconds between two checks of an engine.", 2),
  "health-timeout": seconds("Longest time in seconds that an engine may take to answer a check.", 2),
  "health-failures": number({
    describe: "Checks that fail in a row before an engine is set aside.",
    default: 3,
    min: 1,
    max: 100,
  }),
};

/** How hard a gateway tries to have a request answered. */
export const trying = {
  processes: number({
    describe:
      "Processes that serve the port, for more streams than one core carries; one more chooses for all of them. Linux only.",
    default: 1,
    min: 1,
    max: 256,
  }),
  "first-token-timeout": seconds(
    "Longest time in seconds from a request to the first byte of its answer.",
    300,
  ),
  "idle-timeout": seconds("Longest pause in seconds between two pieces of an answer.", 60),
  retries: number({
    describe: "Further attempts on other workers before anything of an answer has been sent.",
    default: 3,
    min: 0,
    max: 100,
  }),
  "migration-limit": number({
    describe: "How often an answer that breaks off is continued on another worker.",
    default: 3,
    min: 0,
    max: 100,
  }),
  "slow-start": number({
    describe: "Seconds until a worker that comes later gets its full share of requests; 0: at once.",
    default: 10,
    min: 0,
    max: 86_400,
    int: false,
  }),
};
