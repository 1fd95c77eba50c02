import type { PromptReader } from "../prompts/prompt-reader.ts";

/** Which route the test request takes: chats go through the model's template, which not every model has. */
export type TestApi = "chat" | "completions";

export interface TestPrompt {
  readonly api: TestApi;
  readonly body: Readonly<Record<string, unknown>>;
  /** What the gateway's prompt reader makes of it. */
  readonly tokens: Uint32Array;
}

/** Whole blocks that a test prompt has at least: one could be a coincidence. */
export const TEST_BLOCKS = 4;

const SENTENCE = " The lighthouse keeper counts the ships that pass in the night and writes each one down.";
/** Some engines' tokens are a byte each, and their blocks are long; beyond this, the prompt would cost too much. */
const LONGEST_TEXT = 200_000;

/**
 * A prompt that no engine has seen, of a few blocks: it begins at random, so nothing of it is in any cache.
 * @param blockSize tokens in a block
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
