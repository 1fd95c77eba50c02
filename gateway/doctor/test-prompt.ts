import type { PromptReader } from "../prompts/prompt-reader.ts";

/** The API of the test request: chats need a chat template, which not every model has. */
export type TestApi = "chat" | "completions";

export interface TestPrompt {
  readonly api: TestApi;
  readonly body: Readonly<Record<string, unknown>>;
  /** The prompt as tokenized by the gateway's prompt reader. */
  readonly tokens: Uint32Array;
}

/** An engine's answer to a test request. */
export interface TestAnswer {
  readonly promptTokens: number | undefined;
  /** Undefined if the answer does not report it. */
  readonly cachedTokens: number | undefined;
}

/** Fewest whole blocks of a test prompt: a single one could match by coincidence. */
export const TEST_BLOCKS = 4;

const SENTENCE = " The lighthouse keeper counts the ships that pass in the night and writes each one down.";
/** Longest prompt in characters, for engines with byte tokens and large blocks: more would cost too much. */
const LONGEST_TEXT = 200_000;

/**
 * A prompt of a few blocks that starts with random text, so that no engine has any of it cached.
 * @param blockSize tokens per block
 */
export async function testPrompt(
  api: TestApi,
  model: string,
  blockSize: number,
  reader: PromptReader,
): Promise<TestPrompt> {
  const wanted = TEST_BLOCKS * blockSize + 1;
  let text = `Check ${crypto.randomUUID()}.`;
  for (;;) {
    text += SENTENCE;
    const body = bodyOf(api, model, text);
    const { tokens } = await reader.read(api, body);
    if (tokens.length >= wanted || text.length > LONGEST_TEXT) return { api, body, tokens };
    const missing = (wanted - tokens.length) / (tokens.length / text.length);
    text += SENTENCE.repeat(Math.floor(missing / SENTENCE.length));
  }
}

function bodyOf(api: TestApi, model: string, text: string): Record<string, unknown> {
  const limits = { model, max_tokens: 1, temperature: 0 };
  return api === "chat"
    ? { ...limits, messages: [{ role: "user", content: text }] }
    : { ...limits, prompt: text };
}
