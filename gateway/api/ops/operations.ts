import { ENDPOINTS } from "../endpoints.ts";
import { ANSWERS, ANY, FORM_ANSWERS, GUARDED, TAKES_JSON, TAKES_MODEL } from "./answers.ts";
import { doctorRequest } from "./doctor.ts";
import { KEPT_OPERATIONS } from "./kept-operations.ts";
import { loadRequest, unloadRequest } from "./lora/schemas.ts";
import type { Operation } from "./operation.ts";
import { thresholdsRequest } from "./thresholds.ts";
import { attachRequest, changeRequest } from "./workers.ts";

const CHANGES_ADAPTERS = {
  ...TAKES_JSON,
  "404": "The model or the adapter does not exist, or there is no file at the path.",
  "502": "A worker or engine failed; the message says which of them have changed.",
  "503": "No worker is ready, or none has joined and no engine has been reached yet.",
};

const FIXED = "On this runtime (workerd), engines can only be set in its configuration.";

/** The operations in the table of endpoints: answered by workers, or forwarded to engines. */
const requests = [...ENDPOINTS].map(([path, { summary, own }]): Operation => {
  const description =
    own?.description ?? "Forwarded to attached engines, whose answer is returned unchanged.";
  return {
    method: "post",
    path,
    summary,
    description,
    ...(own !== undefined && { requestSchema: own.schema, example: own.example }),
    ...(own?.isForm && { isForm: true }),
    responses: { ...(own !== undefined && { "200": own.answer }), ...(own?.isForm ? FORM_ANSWERS : ANSWERS) },
  };
});

/** Every route, for `/openapi.json` and the reference page. */
export const OPERATIONS: readonly Operation[] = [
  ...requests,
  ...KEPT_OPERATIONS,
  {
    method: "get",
    path: "/v1/models",
    summary: "List the models",
    description: "Each model has its context length in `max_model_len`.",
    responses: { "200": "The models.", ...GUARDED },
  },
  {
    method: "get",
    path: "/v1/models/{id}",
    summary: "Describe a model",
    description: "By name or alias.",
    responses: { "200": "The model.", ...GUARDED, ...TAKES_MODEL },
  },
  {
    method: "get",
    path: "/v1/router/decisions",
    summary: "Recent routing decisions",
    description:
      "Newest first. Each has every candidate's cost terms in blocks, the predicted and reported cached tokens, and the outcome. Prompts are not included.",
    query: {
      model: "Name or alias of the model; default: all models.",
      limit: "How many, from 1 to 1,000; default 20.",
    },
    responses: { "200": "The decisions.", ...GUARDED, ...TAKES_MODEL },
  },
  {
    method: "get",
    path: "/v1/router/decisions/{request_id}",
    summary: "The decisions for one request",
    description: "By the response's `x-request-id`: one per answer (`n`) and retry.",
    responses: { "200": "The decisions.", ...GUARDED, "404": "No decision is kept for this request." },
  },
  {
    method: "get",
    path: "/v1/router/thresholds",
    summary: "Busy thresholds",
    description: "When a model's workers count as busy; null for never.",
    query: { model: "Name or alias of the model; default: all models." },
    responses: { "200": "The thresholds.", ...GUARDED, ...TAKES_MODEL },
  },
  {
    method: "post",
    path: "/v1/router/thresholds",
    summary: "Change busy thresholds",
    description: "Lasts until the gateway stops. Absent thresholds stay as they are; null removes one.",
    requestSchema: thresholdsRequest,
    example: { model: "MODEL", busy_prefill_tokens: "200%" },
    responses: { "200": "The new thresholds.", ...TAKES_JSON, ...TAKES_MODEL },
  },
  {
    method: "post",
    path: "/v1/load_lora_adapter",
    summary: "Load a LoRA adapter",
    description:
      "On all workers and engines of the model that lack it. Workers need --lora-updates, and vLLM VLLM_ALLOW_RUNTIME_LORA_UPDATING=1.",
    requestSchema: loadRequest,
    example: { lora_name: "sql", lora_path: "/adapters/sql.gguf" },
    responses: { "200": "All of them have it, as text.", ...CHANGES_ADAPTERS },
  },
  {
    method: "post",
    path: "/v1/unload_lora_adapter",
    summary: "Unload a LoRA adapter",
    description: "From all workers and engines that have it. Requests that have begun go on.",
    requestSchema: unloadRequest,
    example: { lora_name: "sql" },
    responses: { "200": "None of them has it any more, as text.", ...CHANGES_ADAPTERS },
  },
  {
    method: "get",
    path: "/admin/workers",
    summary: "Engines and workers",
    description: "Each engine's and worker's state, models, KV blocks, KV events and limitations.",
    responses: { "200": "The engines and workers.", ...GUARDED },
  },
  {
    method: "post",
    path: "/admin/workers",
    summary: "Attach an engine",
    description:
      "The engine need not be up yet: it joins once it is. The gateway detects its kind and models.",
    requestSchema: attachRequest,
    example: { url: "http://127.0.0.1:8001", tags: ["gpu=h100"] },
    responses: {
      "201": "Attached; `state` says whether it is ready.",
      ...TAKES_JSON,
      "409": "The engine is already attached, or a worker has its name.",
      "501": FIXED,
    },
  },
  {
    method: "get",
    path: "/admin/workers/{name}",
    summary: "One engine or worker",
    description: "By its name.",
    responses: { "200": "The engine or worker.", ...GUARDED, "404": "No engine or worker has this name." },
  },
  {
    method: "delete",
    path: "/admin/workers/{name}",
    summary: "Drain and detach an engine or a worker",
    description:
      "It gets no new requests. An engine is detached once those in flight have ended; a worker leaves all gateways, and its process ends.",
    query: {
      within:
        "Time after which answers still running move to others, such as 5s; default: a worker's --drain-within, for engines never.",
      now: "true: detach an engine at once; answers in flight still complete. A worker's answers move at once.",
    },
    responses: {
      "202": "It is draining.",
      ...GUARDED,
      "404": "No engine or worker has this name.",
      "502": "The worker does not answer.",
      "501": FIXED,
    },
  },
  {
    method: "patch",
    path: "/admin/workers/{name}",
    summary: "Change the role of an engine or a worker",
    description:
      "Requests that have begun go on. An engine's role is each gateway's own; a worker's is the same for all.",
    requestSchema: changeRequest,
    example: { role: "decode" },
    responses: {
      "200": "It has the role.",
      ...TAKES_JSON,
      "404": "No engine or worker has this name.",
      "502": "The worker does not answer.",
    },
  },
  {
    method: "post",
    path: "/admin/doctor",
    summary: "Examine the engines",
    description:
      "Proves that requests can be routed by what the engines' caches hold, or says what prevents it. Sends each engine two short requests.",
    requestSchema: doctorRequest,
    example: { timeout_ms: 10_000 },
    responses: { "200": "The findings for each engine, and for all together.", ...TAKES_JSON },
  },
  {
    method: "get",
    path: "/health",
    summary: "Readiness",
    description: "The state of each model and of its members: workers and attached engines (`kind`).",
    responses: {
      "200": "At least one model can answer.",
      ...ANY,
      "503": "No model can answer yet, or the gateway is stopping.",
    },
    unlikeErrors: "503",
  },
  {
    method: "get",
    path: "/live",
    summary: "Liveness",
    description: "Answers while the gateway's event loop is running.",
    responses: { "200": "Alive.", ...ANY },
  },
  {
    method: "get",
    path: "/metrics",
    summary: "Metrics",
    description: "Prometheus text format.",
    responses: { "200": "The metrics.", ...GUARDED },
  },
  {
    method: "get",
    path: "/openapi.json",
    summary: "This description",
    description: "OpenAPI 3.1.",
    responses: { "200": "The description.", ...GUARDED },
  },
  {
    method: "get",
    path: "/docs",
    summary: "API reference",
    description: "The same as an HTML page, without scripts.",
    responses: { "200": "The page.", ...GUARDED },
  },
];
