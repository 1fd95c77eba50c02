import type { z } from "zod";
import { ENDPOINTS } from "../endpoints.ts";
import { doctorRequest } from "./doctor.ts";
import { thresholdsRequest } from "./thresholds.ts";
import { attachRequest } from "./workers.ts";

export interface Operation {
  method: "get" | "post" | "delete";
  path: string;
  summary: string;
  description: string;
  requestSchema?: z.ZodType;
  example?: object;
  /** Query parameters, each with its meaning. */
  query?: Record<string, string>;
  /** What is answered, by status; `default` for any other. */
  responses: Record<string, string>;
  /** The status, other than 2xx, whose body is no error. */
  unlikeErrors?: string;
}

/** Whatever is asked. */
const ANY = {
  "400": "The request is not valid HTTP, or its query has what the route does not take.",
  "408": "The request took too long to come.",
  "431": "The request's headers are larger than --header-limit.",
  "500": "The gateway itself failed; its log has the details under the request's id.",
  "508": "The request has come back to the gateway that sent it: an attached engine leads here.",
};

/** Of routes that not everybody may ask. */
const GUARDED = {
  ...ANY,
  "401": "The gateway has keys (--keys), and the request has none, or one that is not known.",
  "403": "The key may not do this; without keys, the request came under a foreign name.",
};

/** Of routes that take JSON. */
const TAKES_JSON = {
  ...GUARDED,
  "400": "A parameter is missing, of the wrong type or out of range; `param` is its path.",
  "413": "The body is larger than --body-limit.",
  "415": "The content type is not application/json, or the body is compressed.",
};

/** Of routes that take a model's name. */
const TAKES_MODEL = {
  "404": "The model does not exist; the message names the nearest one.",
  "503": "No worker has joined and no engine has been reached yet; `retry-after` says when to try again.",
};

const ANSWERS = {
  ...TAKES_JSON,
  ...TAKES_MODEL,
  "429": "The key has used up its requests or tokens of this minute; `retry-after` says when to try again.",
  "502": "The worker or engine failed.",
  "503": "No worker is ready, all are busy, or the queue is full; `retry-after` says when to try again.",
  "504": "The answer was not complete within --request-timeout, or within the request's own deadline.",
  default: "An attached engine's own answer, passed on as it is.",
};

const FIXED = "On this runtime (workerd) engines are named in its configuration only.";

/** What the table of endpoints has: answered by workers, or passed on to engines. */
const requests = [...ENDPOINTS].map(([path, { summary, own }]): Operation => {
  const description =
    own?.description ?? "By attached engines alone: passed on, and the answer back as it is.";
  return {
    method: "post",
    path,
    summary,
    description,
    ...(own !== undefined && { requestSchema: own.schema, example: own.example }),
    responses: { ...(own !== undefined && { "200": own.answer }), ...ANSWERS },
  };
});

/** Every route, told once for `/openapi.json` and the reference page. */
export const OPERATIONS: readonly Operation[] = [
  ...requests,
  {
    method: "get",
    path: "/v1/models",
    summary: "List the models",
    description: "Each with its context length as `max_model_len`.",
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
      "The newest first, each with every candidate's terms of the cost in blocks, the cached tokens predicted and reported, and what came of it. Nothing of the prompts is in it.",
    query: {
      model: "Name or alias of the model; absent: all models.",
      limit: "How many, from 1 to 1,000; default 20.",
    },
    responses: { "200": "The decisions.", ...GUARDED, ...TAKES_MODEL },
  },
  {
    method: "get",
    path: "/v1/router/decisions/{request_id}",
    summary: "The decisions on one request",
    description: "By the response's `x-request-id`. One for each answer (`n`), and for each new try.",
    responses: { "200": "The decisions.", ...GUARDED, "404": "None is kept." },
  },
  {
    method: "get",
    path: "/v1/router/thresholds",
    summary: "Busy thresholds",
    description: "When a model's workers count as busy; null where they never do.",
    query: { model: "Name or alias of the model; absent: all models." },
    responses: { "200": "The thresholds.", ...GUARDED, ...TAKES_MODEL },
  },
  {
    method: "post",
    path: "/v1/router/thresholds",
    summary: "Change busy thresholds",
    description: "Until the gateway ends. What is absent stays, null takes a threshold away.",
    requestSchema: thresholdsRequest,
    example: { model: "MODEL", busy_prefill_tokens: "200%" },
    responses: { "200": "The thresholds now.", ...TAKES_JSON, ...TAKES_MODEL },
  },
  {
    method: "get",
    path: "/admin/workers",
    summary: "Attached engines",
    description: "What is known of each: its state, models, KV blocks and events, and what it lacks.",
    responses: { "200": "The engines.", ...GUARDED },
  },
  {
    method: "post",
    path: "/admin/workers",
    summary: "Attach an engine",
    description: "It need not be up yet: it joins when it is. What it is, it is asked itself.",
    requestSchema: attachRequest,
    example: { url: "http://127.0.0.1:8001", tags: ["gpu=h100"] },
    responses: {
      "201": "Attached; `state` says whether it is ready.",
      ...TAKES_JSON,
      "409": "It is attached already.",
      "501": FIXED,
    },
  },
  {
    method: "get",
    path: "/admin/workers/{name}",
    summary: "One attached engine",
    description: "By its name.",
    responses: { "200": "The engine.", ...GUARDED, "404": "There is none of this name." },
  },
  {
    method: "delete",
    path: "/admin/workers/{name}",
    summary: "Drain and detach an engine",
    description: "It gets no new requests, and is detached when those that it is answering have ended.",
    query: { now: "true: detached at once; running answers still end." },
    responses: { "202": "It drains.", ...GUARDED, "404": "There is none of this name.", "501": FIXED },
  },
  {
    method: "post",
    path: "/admin/doctor",
    summary: "Examine the engines",
    description:
      "Proves that requests can be routed by what the engines' caches hold, or says what keeps them from it. Each engine gets two short requests.",
    requestSchema: doctorRequest,
    example: { timeout_ms: 10_000 },
    responses: { "200": "What was found of each engine, and of all together.", ...TAKES_JSON },
  },
  {
    method: "get",
    path: "/health",
    summary: "Readiness",
    description: "The state of each model and worker.",
    responses: {
      "200": "At least one model can answer.",
      ...ANY,
      "503": "None can yet, or the gateway is stopping.",
    },
    unlikeErrors: "503",
  },
  {
    method: "get",
    path: "/live",
    summary: "Liveness",
    description: "Answers while the gateway's event loop turns.",
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
    summary: "The same to read",
    description: "A page without scripts.",
    responses: { "200": "The page.", ...GUARDED },
  },
];
