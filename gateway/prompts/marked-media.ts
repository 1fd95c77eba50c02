import { invalidRequest } from "../kernel/errors.ts";
import type { Medium } from "../media/medium.ts";
import type { RequestMedia } from "../media/read-media.ts";
import type { Conversation, Message } from "./conversation.ts";
import { mediaKindOf, textIn } from "./prompt-media.ts";

/** A rendered prompt, divided where its media are: one more text than media. */
export interface DividedPrompt {
  readonly texts: readonly string[];
  readonly media: readonly Medium[];
}

/**
 * A conversation in which texts stand for its media, so that the rendered prompt shows where they belong: templates put
 * texts in their place, whether or not they know media. What a model has around its media is for the engine to add.
 */
export class MarkedMedia {
  /** The conversation for the template. */
  readonly conversation: Conversation;
  readonly #media: Medium[] = [];
  readonly #param: string;
  /** Begins every mark. Nobody outside this process can guess it, so no client can write one. */
  readonly #name = `stator-medium-${crypto.randomUUID()}-`;

  /** @param param the field of the request that has the conversation, for errors */
  constructor(conversation: Conversation, media: RequestMedia, param: string) {
    this.#param = param;
    const messages = conversation.messages.map((message) => this.#marked(message, media));
    this.conversation = { ...conversation, messages };
  }

  /**
   * Divides the rendered prompt.
   * @throws ApiError 400 if the template does not show each medium once
   */
  divide(text: string): DividedPrompt {
    const texts: string[] = [];
    const shown: number[] = [];
    let from = 0;
    for (const match of text.matchAll(new RegExp(`${this.#name}(\\d+)\\.`, "g"))) {
      texts.push(text.slice(from, match.index));
      shown.push(Number(match[1]));
      from = match.index + match[0].length;
    }
    texts.push(text.slice(from));
    const media = shown.flatMap((index) => this.#media[index] ?? []);
    const isWhole = media.length === this.#media.length && new Set(shown).size === shown.length;
    if (isWhole) return { texts, media };
    throw invalidRequest(
      "The model's chat template does not show each medium of the conversation once. Put media into messages of the user.",
      this.#param,
      "chat_template_refused",
    );
  }

  #marked(message: Message, media: RequestMedia): Message {
    const { content } = message;
    if (!Array.isArray(content)) return message;
    return { ...message, content: content.map((part: unknown) => this.#mark(part, media) ?? part) };
  }

  /** Text in the place of a content part; undefined if it is no medium. */
  #mark(part: unknown, media: RequestMedia): object | undefined {
    if (mediaKindOf(part) === undefined) return undefined;
    const medium = textIn(part, (text) => media.find(text));
    if (medium === undefined) return undefined;
    const reading = media.readingOf(medium);
    if (reading !== undefined) return { type: "text", text: reading };
    // The same picture can be in a conversation twice.
    this.#media.push(medium);
    return { type: "text", text: `${this.#name}${this.#media.length - 1}.` };
  }
}
