import { isRecord } from "../kernel/json.ts";
import type { PromptBody } from "../prompts/prompt-reader.ts";
import { countTokens, messages } from "./anthropic/messages.ts";
import { countTokensRequest, messagesRequest } from "./anthropic/schemas.ts";
import { translateMessages } from "./anthropic/translate.ts";
import { transcriptionRequest } from "./audio/schemas.ts";
import { transcriptions, translations } from "./audio/transcriptions.ts";
import { type Endpoint, endpoint, type OwnEndpoint, reads } from "./endpoint.ts";
import { chatCompletions } from "./openai/chat-completions.ts";
import { completions } from "./openai/completions.ts";
import { embeddings } from "./openai/embeddings.ts";
import { chatCompletionRequest, completionRequest, embeddingRequest } from "./openai/schemas.ts";
import { rerank } from "./ranking/rerank.ts";
import { rerankRequest, scoreRequest } from "./ranking/schemas.ts";
import { score } from "./ranking/score.ts";
import { inputTokens, responses } from "./responses/responses.ts";
import { inputTokensRequest, responsesRequest } from "./responses/schemas.ts";
import { translateResponses } from "./responses/translate.ts";
import { detokenizeRequest, tokenizeRequest } from "./tokens/schemas.ts";
import { detokenize, tokenize } from "./tokens/tokenize.ts";

/** More than any text answer needs, even with log probabilities for each token. */
const TEXT_BYTES = 64 * 1024 * 1024;

const HEADERS =
  "Request headers: `x-request-id` appears in logs and in the response; `x-stator-worker`, `x-stator-tags`, `x-stator-session`, " +
  "`x-stator-priority`, `x-stator-tenant` and `x-stator-deadline-ms` override the fields of `stator`; " +
  "`x-stator-explain: true` adds `x-stator-worker`, `x-stator-overlap-blocks` and `x-stator-prompt-blocks` to the response.";

const RERANK: OwnEndpoint = {
  route: rerank,
  schema: rerankRequest,
  description:
    "For models that support embeddings; others answer 400. A document's score is the cosine similarity of its vector and the query's.",
  example: { model: "MODEL", query: "What do cats eat?", documents: ["Cats eat fish.", "Stocks fell."] },
  answer: "The documents' scores, best first.",
};

const SCORE: OwnEndpoint = {
  route: score,
  schema: scoreRequest,
  description:
    "For models that support embeddings; others answer 400. The score of two texts is the cosine similarity of their vectors. Scores one text with each of several, or pairs of texts; `data_1` and `data_2`, `queries` and `documents`, and `queries` and `items` are other names of the two.",
  example: { model: "MODEL", text_1: "What do cats eat?", text_2: ["Cats eat fish.", "Stocks fell."] },
  answer: "One score for each pair.",
};

const TRANSCRIPTIONS: OwnEndpoint = {
  route: transcriptions,
  schema: transcriptionRequest,
  isForm: true,
  description: `For speech models; others answer 400. Takes a form. With \`stream\`, answers with the server-sent events \`transcript.text.delta\` and \`transcript.text.done\`. ${HEADERS}`,
  example: { model: "MODEL", file: "speech.wav" },
  answer: "The text, as `response_format` says, or a stream of events.",
};

const TRANSLATIONS: OwnEndpoint = {
  ...TRANSCRIPTIONS,
  route: translations,
  description: `For speech models that translate; others answer 400. Takes the form of \`/v1/audio/transcriptions\`. ${HEADERS}`,
  answer: "The English text, as `response_format` says, or a stream of events.",
};

const TOKENIZE = endpoint("tokenize", "Turn text into token ids", "none", {
  usesCache: false,
  own: {
    route: tokenize,
    schema: tokenizeRequest,
    description:
      "Takes a text (`prompt`) or a conversation (`messages`), and uses the model's own tokenizer and chat template. The model may be left out if there is only one.",
    example: { model: "MODEL", prompt: "The quick brown fox" },
    answer:
      "The token ids (`tokens`), their number with that of media (`count`), and the context length (`max_model_len`).",
  },
});
const DETOKENIZE = endpoint("tokenize", "Turn token ids into text", "none", {
  usesCache: false,
  own: {
    route: detokenize,
    schema: detokenizeRequest,
    description: "Control tokens are shown as text. The model may be left out if there is only one.",
    example: { model: "MODEL", tokens: [1, 2, 3] },
    answer: "The text, as `prompt`.",
  },
});

/** The paths that take requests for models. All take POST. `isModelPath` knows those that are not under `/v1/`. */
export const ENDPOINTS: ReadonlyMap<string, Endpoint> = new Map(
  Object.entries({
    "/v1/chat/completions": endpoint("chat", "Answer a conversation", "chat", {
      events: "chat",
      longestAnswer: TEXT_BYTES,
      own: {
        route: chatCompletions,
        schema: chatCompletionRequest,
        description: `With \`stream: true\`, answers with server-sent events that end with \`[DONE]\`. ${HEADERS}`,
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
        description: `The prompt is a string, a list of strings, token ids, or a list of lists of token ids. ${HEADERS}`,
        example: { model: "MODEL", prompt: "Once upon a time", max_tokens: 32 },
        answer: "The text, or a stream of chunks.",
      },
    }),
    "/v1/embeddings": endpoint("embeddings", "Turn text into vectors", "embeddings", {
      own: {
        route: embeddings,
        schema: embeddingRequest,
        description:
          "For models that support embeddings; others answer 400. The input takes the same forms as a completion's prompt.",
        example: { model: "MODEL", input: "The quick brown fox" },
        answer: "One vector for each input.",
      },
    }),
    "/v1/messages": endpoint("messages", "Answer a conversation (Anthropic's Messages API)", "messages", {
      events: "messages",
      longestAnswer: TEXT_BYTES,
      translate: translateMessages,
      own: {
        route: messages,
        schema: messagesRequest,
        description: `Errors have Anthropic's shape. ${HEADERS}`,
        example: {
          model: "MODEL",
          max_tokens: 256,
          messages: [{ role: "user", content: "What is the capital of France?" }],
        },
        answer: "The answer, or a stream of events.",
      },
    }),
    "/v1/messages/count_tokens": endpoint("messages", "Count a conversation's tokens", "none", {
      usesCache: false,
      own: {
        route: countTokens,
        schema: countTokensRequest,
        description: "Takes the fields of `/v1/messages` that make up the prompt.",
        example: { model: "MODEL", messages: [{ role: "user", content: "Hi" }] },
        answer: "The number of tokens.",
      },
    }),
    "/v1/responses": endpoint("responses", "Answer a conversation (OpenAI's Responses API)", "responses", {
      events: "responses",
      createsResources: true,
      longestAnswer: TEXT_BYTES,
      isRepeatable: isPlainResponse,
      translate: translateResponses,
      own: {
        route: responses,
        schema: responsesRequest,
        description: `Responses are kept, unless \`store\` is false, and can be continued with \`previous_response_id\`. ${HEADERS}`,
        example: { model: "MODEL", input: "What is the capital of France?" },
        answer: "The response, or a stream of events.",
      },
    }),
    "/v1/responses/input_tokens": endpoint("responses", "Count the tokens of a response's input", "none", {
      usesCache: false,
      own: {
        route: inputTokens,
        schema: inputTokensRequest,
        description: "Takes the fields of `/v1/responses` that make up the prompt.",
        example: { model: "MODEL", input: "Hi" },
        answer: "The number of tokens.",
      },
    }),
    "/v1/rerank": endpoint("rerank", "Rank documents by relevance to a query", "none", { own: RERANK }),
    "/v1/reranking": endpoint("rerank", "Rank documents (llama.cpp's path)", "none", { own: RERANK }),
    "/v1/score": endpoint("score", "Score pairs of texts", "none", { own: SCORE }),
    "/v1/pooling": endpoint("pooling", "Return the hidden states of a pooling model", "embeddings"),
    "/v1/classify": endpoint("classify", "Classify a text", "embeddings"),
    "/v1/moderations": endpoint("moderations", "Check whether a text is harmful", "none"),
    "/v1/tokenize": TOKENIZE,
    "/v1/detokenize": DETOKENIZE,
    "/tokenize": TOKENIZE,
    "/detokenize": DETOKENIZE,
    "/v1/audio/transcriptions": endpoint("audio", "Transcribe speech", "none", { own: TRANSCRIPTIONS }),
    "/v1/audio/translations": endpoint("audio", "Translate speech into English text", "none", {
      own: TRANSLATIONS,
    }),
    "/v1/audio/speech": endpoint("audio", "Turn text into speech", "none"),
    "/v1/images/generations": endpoint("images", "Generate images", "none"),
    "/v1/images/edits": endpoint("images", "Edit images", "none"),
    "/v1/images/variations": endpoint("images", "Create variations of an image", "none"),
  }),
);

/** Resources that engines store for their clients; every path under these is forwarded. */
const RESOURCES = new Set([
  "responses",
  "files",
  "batches",
  "uploads",
  "vector_stores",
  "conversations",
  "videos",
]);

/** Any other path that an engine may serve. Its side effects are unknown, so only reads are retried. */
const OTHER = endpoint("other", "", "none", { createsResources: true, isRepeatable: reads });

/** @param path normalized, starting with `/v1/`, without the query */
export const endpointOf = (path: string): Endpoint => ENDPOINTS.get(path) ?? OTHER;

/** Whether a path is one of Anthropic's API. */
export const isOfMessages = (path: string): boolean => /^\/v1\/messages(\/|$)/.test(path);

/** The methods with which a known path is forwarded to engines; none for an unknown path. */
export function methodsOf(path: string): readonly string[] {
  if (ENDPOINTS.has(path)) return ["POST"];
  const [, , kind = ""] = path.split("/");
  return RESOURCES.has(kind) ? RESOURCE_METHODS : [];
}

const RESOURCE_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/** Whether the engine neither stores the response nor needs an earlier one. */
function isPlainResponse(method: string, body: PromptBody | undefined): boolean {
  if (reads(method)) return true;
  return (
    body?.store !== true && body?.background !== true && !body?.previous_response_id && !body?.conversation
  );
}

/** Whether a request can use an engine's cached KV. A path below a resource, such as `/cancel`, has no prompt. */
export function usesCache(path: string, method: string): boolean {
  if (reads(method) || method === "DELETE") return false;
  const [, , kind = "", id] = path.split("/");
  const isResource = id !== undefined && RESOURCES.has(kind) && !ENDPOINTS.has(path);
  return endpointOf(path).usesCache && !isResource;
}

/** The id of a resource stored at an engine that the path or the body refers to. */
export function resourceOf(path: string, body: PromptBody | undefined): Resource | undefined {
  const [, , kind, id] = path.split("/");
  if (id !== undefined && kind !== undefined && RESOURCES.has(kind) && !ENDPOINTS.has(path))
    return { kind, id };
  const { previous_response_id: response, conversation, input_file_id: file } = body ?? {};
  const conversationId = isRecord(conversation) ? conversation.id : conversation;
  if (typeof response === "string") return { kind: "responses", id: response };
  if (typeof conversationId === "string") return { kind: "conversations", id: conversationId };
  return typeof file === "string" ? { kind: "files", id: file } : undefined;
}

/** Something that an engine keeps for its clients. */
export interface Resource {
  /** As in its path. */
  readonly kind: string;
  readonly id: string;
}
