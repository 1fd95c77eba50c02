import { z } from "zod";
import { chatCompletionRequest, completionRequest, embeddingRequest } from "../openai/schemas.ts";
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
  responses: Record<string, string>;
}

const ERRORS = {
  "400": "A parameter is missing, of the wrong type or out of range; `param` is its path.",
  "404": "The model does not exist; the message names the nearest one.",
  "413": "The body is larger than --body-limit.",
  "415": "The content type is not application/json.",
  "502": "The worker failed.",
  "503": "No worker is ready, all are busy, or the queue is full; `retry-after` says when to try again.",
  "504": "The answer was not complete within --request-timeout, or within the request's own deadline.",
};

const HEADERS =
  "Request headers: `x-request-id` is carried through logs and back; `x-stator-worker`, `x-stator-tags`, `x-stator-session`, " +
  "`x-stator-priority`, `x-stator-tenant` and `x-stator-deadline-ms` say the same as the fields of `stator`, and go before them; " +
  "`x-stator-explain: true` adds `x-stator-worker`, `x-stator-overlap-blocks` and `x-stator-prompt-blocks` to the response.";

/** Every route, told once for `/openapi.json` and the reference page. */
export const OPERATIONS: readonly Operation[] = [
  {
    method: "post",
    path: "/v1/chat/completions",
    summary: "Answer a conversation",
    description: `With \`stream: true\` as server-sent events that end in \`[DONE]\`. ${HEADERS}`,
    requestSchema: chatCompletionRequest,
    example: { model: "MODEL", messages: [{ role: "user", content: "What is the capital of France?" }] },
    responses: { "200": "The answer, or a stream of chunks.", ...ERRORS },
  },
  {
    method: "post",
    path: "/v1/completions",
    summary: "Continue a text",
    description: `The prompt is a text, a list of texts, token ids, or a list of lists of token ids. ${HEADERS}`,
    requestSchema: completionRequest,
    example: { model: "MODEL", prompt: "Once upon a time", max_tokens: 32 },
    responses: { "200": "The text, or a stream of chunks.", ...ERRORS },
  },
  {
    method: "post",
    path: "/v1/embeddings",
    summary: "Turn text into vectors",
    description:
      "For models that can; others answer 400. The input takes the same forms as a completion's prompt.",
    requestSchema: embeddingRequest,
    example: { model: "MODEL", input: "The quick brown fox" },
    responses: { "200": "One vector for each input.", ...ERRORS },
  },
  {
    method: "get",
    path: "/v1/models",
    summary: "List the models",
    description: "Each with its context length as `max_model_len`.",
    responses: { "200": "The models." },
  },
  {
    method: "get",
    path: "/v1/models/{id}",
    summary: "Describe a model",
    description: "By name or alias.",
    responses: { "200": "The model.", "404": ERRORS["404"] },
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
    responses: { "200": "The decisions.", "404": ERRORS["404"] },
  },
  {
    method: "get",
    path: "/v1/router/decisions/{request_id}",
    summary: "The decisions on one request",
    description: "By the response's `x-request-id`. One for each answer (`n`), and for each new try.",
    responses: { "200": "The decisions.", "404": "None is kept." },
  },
  {
    method: "get",
    path: "/v1/router/thresholds",
    summary: "Busy thresholds",
    description: "When a model's workers count as busy; null where they never do.",
    query: { model: "Name or alias of the model; absent: all models." },
    responses: { "200": "The thresholds.", "404": ERRORS["404"] },
  },
  {
    method: "post",
    path: "/v1/router/thresholds",
    summary: "Change busy thresholds",
    description: "Until the gateway ends. What is absent stays, null takes a threshold away.",
    requestSchema: thresholdsRequest,
    example: { model: "MODEL", busy_prefill_tokens: "200%" },
    responses: { "200": "The thresholds now.", "400": ERRORS["400"], "404": ERRORS["404"] },
  },
  {
    method: "get",
    path: "/admin/workers",
    summary: "Attached engines",
    description: "What is known of each: its state, models, KV blocks and events, and what it lacks.",
    responses: { "200": "The engines." },
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
      "400": "The address or a field is not as it should be.",
      "409": "It is attached already.",
    },
  },
  {
    method: "get",
    path: "/admin/workers/{name}",
    summary: "One attached engine",
    description: "By its name.",
    responses: { "200": "The engine.", "404": "There is none of this name." },
  },
  {
    method: "delete",
    path: "/admin/workers/{name}",
    summary: "Drain and detach an engine",
    description: "It gets no new requests, and is detached when those that it is answering have ended.",
    query: { now: "true: detached at once; running answers still end." },
    responses: { "202": "It drains.", "404": "There is none of this name." },
  },
  {
    method: "post",
    path: "/admin/doctor",
    summary: "Examine the engines",
    description:
      "Proves that requests can be routed by what the engines' caches hold, or says what keeps them from it. Each engine gets two short requests.",
    requestSchema: doctorRequest,
    example: { timeout_ms: 10_000 },
    responses: { "200": "What was found of each engine, and of all together.", "400": ERRORS["400"] },
  },
  {
    method: "get",
    path: "/health",
    summary: "Readiness",
    description: "The state of each model and worker.",
    responses: { "200": "At least one model can answer.", "503": "None can yet." },
  },
  {
    method: "get",
    path: "/live",
    summary: "Liveness",
    description: "Answers while the gateway's event loop turns.",
    responses: { "200": "Alive." },
  },
  {
    method: "get",
    path: "/metrics",
    summary: "Metrics",
    description: "Prometheus text format.",
    responses: { "200": "The metrics." },
  },
];

/** The OpenAPI 3.1 description of the gateway, made from the schemas that the routes check with. */
export function openApiDocument(version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const operation of OPERATIONS) {
    const methods = paths[operation.path] ?? {};
    methods[operation.method] = describeOperation(operation);
    paths[operation.path] = methods;
  }
  return {
    openapi: "3.1.0",
    info: { title: "Stator", version, license: { name: "Apache-2.0", identifier: "Apache-2.0" } },
    paths,
    components: { schemas: { Error: ERROR_SCHEMA } },
  };
}

const ERROR_SCHEMA = {
  type: "object",
  required: ["error"],
  properties: {
    error: {
      type: "object",
      required: ["message", "type", "param", "code"],
      properties: {
        message: { type: "string" },
        type: { type: "string" },
        param: { type: ["string", "null"] },
        code: { type: ["string", "null"] },
      },
    },
  },
};

function describeOperation(operation: Operation): object {
  const { summary, description, requestSchema, example } = operation;
  const pathParameters = Array.from(operation.path.matchAll(/\{(\w+)\}/g), ([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  const queryParameters = Object.entries(operation.query ?? {}).map(([name, text]) => ({
    name,
    in: "query",
    description: text,
    schema: { type: "string" },
  }));
  const parameters = [...pathParameters, ...queryParameters];
  return {
    operationId: operationId(operation),
    summary,
    description,
    ...(parameters.length > 0 && { parameters }),
    ...(requestSchema && {
      requestBody: {
        required: true,
        content: { "application/json": { schema: z.toJSONSchema(requestSchema, { io: "input" }), example } },
      },
    }),
    responses: Object.fromEntries(
      Object.entries(operation.responses).map(([status, text]) => [status, describeResponse(status, text)]),
    ),
  };
}

function describeResponse(status: string, description: string): object {
  if (status.startsWith("2")) return { description };
  const schema = { $ref: "#/components/schemas/Error" };
  return { description, content: { "application/json": { schema } } };
}

/** A path with both methods has two ids. */
function operationId({ method, path }: Operation): string {
  const id = path.replace(/[^a-z]+/gi, "_").replace(/^_|_$/g, "");
  const isShared = OPERATIONS.some((other) => other.path === path && other.method !== method);
  return isShared ? `${method}_${id}` : id;
}
