import type { Context } from "hono";
import type { z } from "zod";
import type { GatewayEnv } from "../access/env.ts";
import type { PromptBody, PromptKind } from "../prompts/prompt-reader.ts";
import type { EventApi } from "../requests/wire/event-api.ts";
import type { GatewayDependencies } from "./dependencies.ts";
import { chatCompletions } from "./openai/chat-completions.ts";
import { completions } from "./openai/completions.ts";
import { embeddings } from "./openai/embeddings.ts";
import { chatCompletionRequest, completionRequest, embeddingRequest } from "./openai/schemas.ts";

/**
 * The gateway's own answer, by the workers of the model that a body names.
 * @param json the body
 * @param hasOthers whether another model may answer where this one cannot
 * @throws PassedOn where another model is to be asked, if there are others
 */
export type OwnRoute = (
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  json: unknown,
  hasOthers: boolean,
) => Promise<Response>;

/** What the gateway knows of a path under `/v1/`. */
export interface Endpoint {
  /** Its name in metrics. */
  readonly name: string;
  /** In a few words, for people. */
  readonly summary: string;
  /** Which of a body's fields hold the prompt. */
  readonly prompt: PromptKind;
  /** What its event streams are made of; undefined where anything goes. */
  readonly events: EventApi | undefined;
  /** Whether the answer's id names something that the engine keeps, and that later requests may speak of. */
  readonly keeps: boolean;
  /** Bytes beyond which a whole answer is none; undefined where any length is right. */
  readonly longestAnswer: number | undefined;
  /** Undefined where only engines answer. */
  readonly own: OwnEndpoint | undefined;
  /** Whether the same request twice is the same as once. */
  isRepeatable(method: string, body: PromptBody | undefined): boolean;
}

/** What the gateway answers itself, for models of its workers. */
export interface OwnEndpoint {
  readonly route: OwnRoute;
  readonly schema: z.ZodType;
  readonly description: string;
  readonly example: object;
  /** What a good answer is. */
  readonly answer: string;
}

/** More than any answer in words has, with the log probabilities of each token. */
const TEXT_BYTES = 64 * 1024 * 1024;

const always = () => true;
/** Reading may be repeated; what changes something may not. */
const reads = (method: string) => method === "GET" || method === "HEAD";

function endpoint(name: string, summary: string, prompt: PromptKind, rest: Partial<Endpoint> = {}): Endpoint {
  return {
    name,
    summary,
    prompt,
    events: undefined,
    keeps: false,
    longestAnswer: undefined,
    own: undefined,
    isRepeatable: always,
    ...rest,
  };
}

const HEADERS =
  "Request headers: `x-request-id` is carried through logs and back; `x-stator-worker`, `x-stator-tags`, `x-stator-session`, " +
  "`x-stator-priority`, `x-stator-tenant` and `x-stator-deadline-ms` say the same as the fields of `stator`, and go before them; " +
  "`x-stator-explain: true` adds `x-stator-worker`, `x-stator-overlap-blocks` and `x-stator-prompt-blocks` to the response.";

/** What each path under `/v1/` is that requests for models are sent to. All are asked with POST. */
export const ENDPOINTS: ReadonlyMap<string, Endpoint> = new Map(
  Object.entries({
    "/v1/chat/completions": endpoint("chat", "Answer a conversation", "chat", {
      events: "chat",
      longestAnswer: TEXT_BYTES,
      own: {
        route: chatCompletions,
        schema: chatCompletionRequest,
        description: `With \`stream: true\` as server-sent events that end in \`[DONE]\`. ${HEADERS}`,
        example: { model: "MODEL", messages: [{ role: "user", content: "What is the capital of France?" }] },
        answer: "The answer, or a stream of chunks.",
      },
    }),
    "/v1/completions": endpoint("completions", "Continue a text", "completions", {
      events: "completions",
      longestAnswer: TEXT_BYTES,
      own: {
        route: completions,
        schema: completionRequest,
        description: `The prompt is a text, a list of texts, token ids, or a list of lists of token ids. ${HEADERS}`,
        example: { model: "MODEL", prompt: "Once upon a time", max_tokens: 32 },
        answer: "The text, or a stream of chunks.",
      },
    }),
    "/v1/embeddings": endpoint("embeddings", "Turn text into vectors", "embeddings", {
      own: {
        route: embeddings,
        schema: embeddingRequest,
        description:
          "For models that can; others answer 400. The input takes the same forms as a completion's prompt.",
        example: { model: "MODEL", input: "The quick brown fox" },
        answer: "One vector for each input.",
      },
    }),
    "/v1/messages": endpoint("messages", "Answer a conversation, in Anthropic's API", "messages", {
      events: "messages",
      longestAnswer: TEXT_BYTES,
    }),
    "/v1/messages/count_tokens": endpoint("messages", "Count a conversation's tokens", "none"),
    "/v1/responses": endpoint("responses", "Answer, in OpenAI's newer API", "responses", {
      events: "responses",
      keeps: true,
      longestAnswer: TEXT_BYTES,
      isRepeatable: isPlainResponse,
    }),
    "/v1/rerank": endpoint("rerank", "Order documents by a question", "none"),
    "/v1/reranking": endpoint("rerank", "The same under llama.cpp's name", "none"),
    "/v1/score": endpoint("score", "Score pairs of texts", "none"),
    "/v1/pooling": endpoint("pooling", "Hidden states of a pooling model", "embeddings"),
    "/v1/classify": endpoint("classify", "Classify a text", "embeddings"),
    "/v1/moderations": endpoint("moderations", "Judge whether a text is harmful", "none"),
    "/v1/tokenize": endpoint("tokenize", "Token ids of a text", "none"),
    "/v1/detokenize": endpoint("tokenize", "Text of token ids", "none"),
    "/v1/audio/transcriptions": endpoint("audio", "Write down speech", "none"),
    "/v1/audio/translations": endpoint("audio", "Write down speech in English", "none"),
    "/v1/audio/speech": endpoint("audio", "Speak a text", "none"),
    "/v1/images/generations": endpoint("images", "Make images", "none"),
    "/v1/images/edits": endpoint("images", "Change images", "none"),
    "/v1/images/variations": endpoint("images", "Vary an image", "none"),
    // For admin keys, where there are keys.
    "/v1/load_lora_adapter": endpoint("adapters", "Load a LoRA adapter", "none", { isRepeatable: reads }),
    "/v1/unload_lora_adapter": endpoint("adapters", "Drop a LoRA adapter", "none", { isRepeatable: reads }),
  }),
);

/** What engines keep for their clients; all that is under these passes on. */
const KEEPERS = new Set([
  "responses",
  "files",
  "batches",
  "uploads",
  "vector_stores",
  "conversations",
  "videos",
]);

/** Whatever else the engine can do. What it changes is not known, so only reading is repeated. */
const OTHER = endpoint("other", "", "none", { keeps: true, isRepeatable: reads });

/** @param path from `/v1/` on, without the query, in one spelling */
export const endpointOf = (path: string): Endpoint => ENDPOINTS.get(path) ?? OTHER;

/** With which methods a path passes on to engines, of those that the gateway knows; none for what it does not know. */
export function methodsOf(path: string): readonly string[] {
  if (ENDPOINTS.has(path)) return ["POST"];
  const [, , kind = ""] = path.split("/");
  return KEEPERS.has(kind) ? KEEPER_METHODS : [];
}

const KEEPER_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/** Whether nothing of the response stays at the engine, nor is anything that stayed there needed. */
function isPlainResponse(method: string, body: PromptBody | undefined): boolean {
  if (reads(method)) return true;
  return body?.store !== true && body?.background !== true && !body?.previous_response_id;
}

/** The id that a path or a body speaks of, of something that an engine may keep. */
export function resourceOf(path: string, body: PromptBody | undefined): string | undefined {
  const [, , kind, id] = path.split("/");
  if (id !== undefined && kind !== undefined && KEEPERS.has(kind)) return id;
  const named = body?.previous_response_id ?? body?.input_file_id;
  return typeof named === "string" ? named : undefined;
}
