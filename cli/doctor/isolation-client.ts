import { z } from "zod";
import { messageOf } from "#runtime";

/** A gateway, as clients with API keys see it. */
export interface IsolationClient {
  /** The models that a key may use, with the names of their ready workers and engines. */
  models(key: string): Promise<{ name: string; workers: string[] }[]>;
  /** Asks for one token. */
  ask(question: Question): Promise<CachedTokens>;
}

export interface Question {
  readonly api: TestedApi;
  readonly key: string;
  readonly model: string;
  readonly worker: string;
  readonly prompt: string;
  /** The salt that the client asks for. */
  readonly salt?: string | undefined;
}

/** What an answer tells of the engine's cache. */
export interface CachedTokens {
  readonly promptTokens: number;
  /** Undefined if the engine does not report it. */
  readonly cachedTokens: number | undefined;
}

/** An answer that is no answer. */
export class RefusedError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Nothing answers at the gateway's address. */
export class NoAnswerError extends Error {}

/** The APIs whose requests have prompts that engines cache. */
export const TESTED_APIS = ["chat", "completions", "messages", "responses"] as const;
export type TestedApi = (typeof TESTED_APIS)[number];

const REQUESTS: Record<TestedApi, { path: string; body(prompt: string): object }> = {
  chat: {
    path: "/v1/chat/completions",
    body: (content) => ({ messages: [{ role: "user", content }], max_tokens: 1 }),
  },
  completions: { path: "/v1/completions", body: (prompt) => ({ prompt, max_tokens: 1 }) },
  messages: {
    path: "/v1/messages",
    body: (content) => ({ messages: [{ role: "user", content }], max_tokens: 1 }),
  },
  // OpenAI's least is 16.
  responses: { path: "/v1/responses", body: (input) => ({ input, max_output_tokens: 16, store: false }) },
};

/** @param url the gateway's, without a path */
export function isolationClient(url: string, timeoutMs: number): IsolationClient {
  const send = async (path: string, key: string, init: RequestInit = {}): Promise<unknown> => {
    const headers = { ...init.headers, authorization: `Bearer ${key}` };
    const request = { ...init, headers, signal: AbortSignal.timeout(timeoutMs) };
    const response = await fetch(url + path, request).catch((cause: Error) => {
      const inner = cause.cause ?? cause;
      // Several addresses of a name that all fail have no message, but a code.
      const reason = messageOf(inner) || Reflect.get(Object(inner), "code");
      throw new NoAnswerError(`Nothing answers at ${url} (${reason}).`, { cause });
    });
    const body: unknown = await response.json().catch(() => undefined);
    if (response.ok || path === "/health") return body;
    const { success, data } = errorSchema.safeParse(body);
    throw new RefusedError(response.status, success ? data.error.message : `status ${response.status}`);
  };
  return {
    async models(key) {
      const listed = listSchema.parse(await send("/v1/models", key)).data.map(({ id }) => id);
      const { models } = healthSchema.parse(await send("/health", key));
      return models
        .filter(({ name }) => listed.includes(name))
        .map(({ name, workers }) => ({
          name,
          workers: workers.filter(({ status }) => status === "ready").map((worker) => worker.name),
        }));
    },
    async ask({ api, key, model, worker, prompt, salt }) {
      const { path, body } = REQUESTS[api];
      const json = {
        model,
        temperature: 0,
        ...body(prompt),
        ...(salt !== undefined && { cache_salt: salt }),
      };
      const headers = { "content-type": "application/json", "x-stator-worker": worker };
      return cachedIn(await send(path, key, { method: "POST", headers, body: JSON.stringify(json) }));
    },
  };
}

function cachedIn(answer: unknown): CachedTokens {
  const { usage } = answerSchema.parse(answer);
  const details = usage.prompt_tokens_details ?? usage.input_tokens_details;
  const cachedTokens = details?.cached_tokens ?? usage.cache_read_input_tokens ?? undefined;
  // Anthropic's `input_tokens` are those that were not cached.
  const uncached = usage.prompt_tokens ?? usage.input_tokens ?? 0;
  return { cachedTokens, promptTokens: uncached + (usage.cache_read_input_tokens ?? 0) };
}

const details = z.object({ cached_tokens: z.number().nullish() }).nullish();

const answerSchema = z.object({
  usage: z.object({
    prompt_tokens: z.number().nullish(),
    input_tokens: z.number().nullish(),
    prompt_tokens_details: details,
    input_tokens_details: details,
    cache_read_input_tokens: z.number().nullish(),
  }),
});

const listSchema = z.object({ data: z.array(z.object({ id: z.string() })) });
const errorSchema = z.object({ error: z.object({ message: z.string() }) });
const healthSchema = z.object({
  models: z.array(
    z.object({ name: z.string(), workers: z.array(z.object({ name: z.string(), status: z.string() })) }),
  ),
});
