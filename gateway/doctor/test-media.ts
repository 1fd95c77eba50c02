import { messageOf } from "#runtime";
import { EngineApiError } from "../engines/index.ts";
import { webByteTools } from "../media/byte-tools.ts";
import { MediumBytes, readEncoded } from "../media/content.ts";
import { inspectMedia } from "../media/inspect/index.ts";
import { Medium } from "../media/medium.ts";
import { STAND_INS } from "../prompts/media-stand-ins.ts";
import type { PromptReader } from "../prompts/prompt-reader.ts";
import type { Prompt } from "../routing/prompt.ts";
import type { EventWatch } from "./event-watch.ts";
import type { TestAnswer } from "./test-prompt.ts";

/** What came of test requests with a picture. */
export type MediaEvidence =
  /** The model takes no pictures. */
  | { readonly refusal: string }
  | {
      readonly prompt: Prompt;
      readonly first: TestAnswer;
      readonly second: TestAnswer;
      /** To the same text, with another picture. */
      readonly other: TestAnswer;
      /** Whole blocks of the prompt that a router knows from the events. */
      readonly knownBlocks: number;
      /** The same, of the prompt with another picture that was not asked for yet. */
      readonly knownOfOther: number;
    };

const URL = STAND_INS.image[1];

/**
 * Asks about a picture twice, and then about another one of the same size.
 * @param ask answers a chat's body @throws EngineApiError
 */
export async function examineMedia(
  model: string,
  reader: PromptReader,
  watch: EventWatch,
  waitMs: number,
  ask: (body: Readonly<Record<string, unknown>>) => Promise<TestAnswer>,
): Promise<MediaEvidence> {
  const text = `Check ${crypto.randomUUID()}. ${"What does the lighthouse keeper see? ".repeat(8)}`;
  const [one, two] = await Promise.all([0, 1].map(() => testOf(model, text, reader)));
  try {
    const first = await ask(one!.body);
    const { prompt } = one!;
    const all = () => Math.floor(prompt.tokens.length / watch.blockSize);
    await watch.until(() => watch.knownBlocks(prompt) >= all(), waitMs);
    const knownBlocks = watch.knownBlocks(prompt);
    const knownOfOther = watch.knownBlocks(two!.prompt);
    return {
      prompt,
      first,
      second: await ask(one!.body),
      other: await ask(two!.body),
      knownBlocks,
      knownOfOther,
    };
  } catch (error) {
    if (error instanceof EngineApiError) return { refusal: messageOf(error) };
    throw error;
  }
}

/** A chat with a picture under an id of its own: to the engine, it is another picture. */
async function testOf(model: string, text: string, reader: PromptReader) {
  const id = crypto.randomUUID().replaceAll("-", "").repeat(2);
  const name = `media:${id}`;
  const encoded = readEncoded(new TextEncoder().encode(URL))!;
  const medium = new Medium(
    encoded,
    "image",
    inspectMedia(new MediumBytes(encoded, webByteTools)),
    webByteTools,
  );
  const bodyWith = (url: string, more: object = {}) => ({
    model,
    max_tokens: 1,
    temperature: 0,
    messages: [
      {
        role: "user",
        content: [
          { type: "image_url", image_url: { url }, ...more },
          { type: "text", text },
        ],
      },
    ],
  });
  const media = new Map([[name, { medium, identity: id, isExact: true }]]);
  return { body: bodyWith(URL, { uuid: id }), prompt: await reader.read("chat", bodyWith(name), media) };
}
