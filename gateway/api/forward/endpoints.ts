import type { EventApi } from "../../pipeline/forward/event-api.ts";
import type { PromptBody, PromptKind } from "../../pipeline/preprocess/prompts/prompt-reader.ts";

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

/** By the path's part behind `/v1/`, up to an id. */
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
    score: endpoint("score", "none"),
    pooling: endpoint("pooling", "embeddings"),
    classify: endpoint("classify", "embeddings"),
    "audio/transcriptions": endpoint("audio", "none"),
    "audio/translations": endpoint("audio", "none"),
    "audio/speech": endpoint("audio", "none"),
    "images/generations": endpoint("images", "none"),
    "images/edits": endpoint("images", "none"),
  }),
);

/** Whatever else the engine can do. What it changes is not known, so only reading is repeated. */
const OTHER = endpoint("other", "none", { keeps: true, isRepeatable: reads });

/** @param path from `/v1/` on, without the query */
export function endpointOf(path: string): Endpoint {
  return ENDPOINTS.get(path.slice("/v1/".length).replace(/\/+$/, "")) ?? OTHER;
}

/** Whether nothing of the response stays at the engine, nor is anything that stayed there needed. */
function isPlainResponse(method: string, body: PromptBody | undefined): boolean {
  if (reads(method)) return true;
  return body?.store !== true && body?.background !== true && !body?.previous_response_id;
}

/** The id that a path or a body speaks of, of something that an engine may keep. */
export function resourceOf(path: string, body: PromptBody | undefined): string | undefined {
  const [, , kind, id] = path.split("/");
  if (id !== undefined && kind !== undefined && KEEPERS.includes(kind)) return id;
  const named = body?.previous_response_id ?? body?.input_file_id;
  return typeof named === "string" ? named : undefined;
}

const KEEPERS = ["responses", "files", "batches", "uploads", "vector_stores", "conversations", "videos"];
