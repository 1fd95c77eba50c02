import type { GenerateRequest } from "#runtime";
import type { Delta, Engine } from "#workers";
import { bytePieces, tokenizeBytes } from "../../../workers/byte-tokens.ts";
import { byteCard } from "./byte-card.ts";
import type { OwnGateway } from "./own-gateway.ts";

export const PROMPT = "story:";
export const STORY =
  "Once upon a time, in a caf\u00e9 by the sea, there lived \u{1f419} an octopus. The end.";
export const BYTES = new TextEncoder().encode(STORY);
/** What an engine does instead of yielding its next token. */
export type StoryFault = "throw" | "hang" | "close";

/**
 * An engine that recites one story, a byte per token, continuing from the prompt's end. It fails after a set number of
 * tokens of a request.
 */
export class Storyteller implements Engine {
  readonly card;
  readonly asked: number[] = [];
  fault: { kind: StoryFault; after: number; times: number } | undefined;
  onClose: () => unknown = () => {};
  /** Index of the token before which an answer waits for `gate`. */
  gateAt = -1;
  gate: Promise<void> = Promise.resolve();
  /** Answers that are waiting for it. */
  waiting = 0;
  /** Answers that were cancelled while waiting for it. */
  cancelled = 0;

  constructor(card: Partial<Engine["card"]> = {}) {
    this.card = byteCard("story", {
      contextLength: 4096,
      chatTemplate: "{{ messages[-1].content }}",
      features: { logprobs: false, logitBias: false, embeddings: false },
      ...card,
    });
  }

  stats = () => ({ running: 0, waiting: 0, kvUsage: 0 });
  tokenize = tokenizeBytes;
  vocabulary = () => bytePieces;
  close = async () => {};

  async *generate(
    { tokens, maxTokens }: Pick<GenerateRequest, "tokens" | "maxTokens">,
    signal: AbortSignal,
  ): AsyncGenerator<Delta> {
    this.asked.push(tokens.length);
    const begin = tokens.length - PROMPT.length;
    yield { tokenIds: [], cachedTokens: 3 };
    for (let count = 0; count < maxTokens; count++) {
      if (this.fault?.after === count && this.fault.times > 0) {
        this.fault.times--;
        await this.#misbehave(this.fault.kind, signal);
      }
      if (begin + count === this.gateAt && !(await this.#pass(signal))) return;
      await new Promise((resolve) => setImmediate(resolve));
      if (begin + count === BYTES.length) {
        yield { tokenIds: [], finish: "stop", stopToken: 256 };
        return;
      }
      const isLast = count === maxTokens - 1;
      yield { tokenIds: [BYTES[begin + count]!], ...(isLast && { finish: "length" }) };
    }
  }

  /** @returns false if the answer was cancelled meanwhile */
  async #pass(signal: AbortSignal): Promise<boolean> {
    this.waiting++;
    await Promise.race([
      this.gate,
      new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true })),
    ]);
    this.waiting--;
    if (signal.aborted) this.cancelled++;
    return !signal.aborted;
  }

  async #misbehave(kind: StoryFault, signal: AbortSignal): Promise<void> {
    if (kind === "throw") throw new Error("out of ideas");
    if (kind === "close") this.onClose();
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
  }
}

export interface StoryAnswer {
  text: string;
  finish: string | null;
  usage: unknown;
  error: { code: string; message: string } | undefined;
}

/** Streams the story. */
export async function readStory({ post }: OwnGateway, more: object = {}): Promise<StoryAnswer> {
  const body = { model: "story", prompt: PROMPT, max_tokens: 500, stream: true, ...more };
  const response = await post("/v1/completions", { ...body, stream_options: { include_usage: true } });
  const answer: StoryAnswer = { text: "", finish: null, usage: undefined, error: undefined };
  for (const line of (await response.text()).split("\n")) {
    if (!line.startsWith("data: {")) continue;
    const { choices = [], usage, error } = JSON.parse(line.slice(6));
    if (error !== undefined) answer.error = error;
    if (usage !== undefined && usage !== null) answer.usage = usage;
    for (const { text, finish_reason } of choices) {
      answer.text += text;
      answer.finish ??= finish_reason;
    }
  }
  return answer;
}

/** The whole story, as a client should get it. */
export const COMPLETE = {
  text: STORY,
  finish: "stop",
  error: undefined,
  usage: { prompt_tokens: 6, completion_tokens: BYTES.length + 1, total_tokens: BYTES.length + 7 },
};
