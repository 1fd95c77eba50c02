import type { PromptBody, PromptKind } from "../../prompts/prompt-reader.ts";
import type { EventApi } from "../../requests/wire/event-api.ts";

/** What the gateway knows of a path under `/v1/` that it passes on. */
export interface Endpoint {
  /** Its name in metrics. */
  readonly name: string;
  readonly prompt: PromptKind;
  /** What its event streams are made of; undefined where anything goes. */
  readonly events: EventApi | undefined;
  /** Whether the answer's id names something that the engine keeps, and that later requests may speak of. */
  readonly keeps: boolean;
  /** Bytes beyond which a whole answer is none; undefined where any length is right. */
  readonly longestAnswer: number | undefined;
  /** Whether the same request twice is the same as once. */
  isRepeatable(method: string, body: PromptBody | undefined): boolean;
}

/** More than any answer in words has, with the log probabilities of each token. */
const TEXT_BYTES = 64 * 1024 * 1024;

const always = () => true;
/** Reading may be repeated; what changes something may not. */
const reads = (method: string) => method === "GET" || method === "HEAD";

function endpoint(name: string, prompt: PromptKind, rest: Partial<Endpoint> = {}): Endpoint {
  return {
    name,
    prompt,
    events: undefined,
    keeps: false,
    longestAnswer: undefined,
    isRepeatable: always,
    ...rest,
  };
}

/** By the path's part behind `/v1/`. All are asked with POST. */
const ENDPOINTS: ReadonlyMap<string, Endpoint> = new Map(
  Object.entries({
    "chat/completions": endpoint("chat", "chat", { events: "chat", longestAnswer: TEXT_BYTES }),
    completions: endpoint("completions", "completions", {
      events: "completions",
      longestAnswer: TEXT_BYTES,
    }),
    embeddings: endpoint("embeddings", "embeddings"),
    messages: endpoint("messages", "messages", { events: "messages", longestAnswer: TEXT_BYTES }),
    "messages/count_tokens": endpoint("messages", "none"),
    responses: endpoint("responses", "responses", {
      events: "responses",
      keeps: true,
      longestAnswer: TEXT_BYTES,
      isRepeatable: isPlainResponse,
    }),
    rerank: endpoint("rerank", "none"),
    reranking: endpoint("rerank", "none"),
    score: endpoint("score", "none"),
    pooling: endpoint("pooling", "embeddings"),
    classify: endpoint("classify", "embeddings"),
    moderations: endpoint("moderations", "none"),
    tokenize: endpoint("tokenize", "none"),
    detokenize: endpoint("tokenize", "none"),
    "audio/transcriptions": endpoint("audio", "none"),
    "audio/translations": endpoint("audio", "none"),
    "audio/speech": endpoint("audio", "none"),
    "images/generations": endpoint("images", "none"),
    "images/edits": endpoint("images", "none"),
    "images/variations": endpoint("images", "none"),
    // For admin keys, where there are keys.
    load_lora_adapter: endpoint("adapters", "none", { isRepeatable: reads }),
    unload_lora_adapter: endpoint("adapters", "none", { isRepeatable: reads }),
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
const OTHER = endpoint("other", "none", { keeps: true, isRepeatable: reads });

const nameOf = (path: string) => path.slice("/v1/".length);

/** @param path from `/v1/` on, without the query, in one spelling */
export const endpointOf = (path: string): Endpoint => ENDPOINTS.get(nameOf(path)) ?? OTHER;

/** With which methods a path passes on to engines, of those that the gateway knows; none for what it does not know. */
export function methodsOf(path: string): readonly string[] {
  const name = nameOf(path);
  if (ENDPOINTS.has(name)) return ["POST"];
  return KEEPERS.has(name.split("/", 1)[0]!) ? KEEPER_METHODS : [];
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
