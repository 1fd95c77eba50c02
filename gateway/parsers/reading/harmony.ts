import { Nonsense, type Step, type TextReader } from "./text-reader.ts";

/** Tokens that frame gpt-oss's messages. Source: https://cookbook.openai.com/articles/openai-harmony */
export const START = "<|start|>";
export const CHANNEL = "<|channel|>";
export const MESSAGE = "<|message|>";
export const END = "<|end|>";
export const CALL = "<|call|>";
export const RETURN = "<|return|>";
const CONSTRAIN = "<|constrain|>";

export const FRAMING = [START, CHANNEL, CONSTRAIN, MESSAGE, END, CALL, RETURN];

export interface Header {
  /** `analysis`, `commentary` or `final`; empty if it is none. */
  readonly channel: string;
  /** The function that is called. */
  readonly recipient: string | undefined;
  /** Whether a message follows. */
  readonly isComplete: boolean;
}

/** More characters than a header has. */
const MOST_CHARACTERS = 512;

/**
 * Reads what is between `<|start|>` or `<|channel|>` and `<|message|>`, such as
 * `commentary to=functions.f <|constrain|>json`. The model also writes the recipient before the channel, and headers
 * that break off.
 * @returns undefined if it is ordinary text: the model forgot the rest of the header
 */
export function* readHeader(reader: TextReader): Step<Header | undefined> {
  let text = "";
  let marker: string | undefined;
  try {
    marker = yield* reader.upTo([MESSAGE, END, CALL, RETURN, START], (piece) => {
      text += piece;
      if (text.length > MOST_CHARACTERS) throw new Nonsense("A header is too long.");
    });
  } catch (error) {
    if (error instanceof Nonsense) return undefined;
    throw error;
  }
  if (marker === undefined && text.trim().split(/\s+/).length > 2 && !text.includes("to=")) return undefined;
  if (marker === MESSAGE) reader.skip(MESSAGE.length);
  const recipient = text.match(/\bto=([^\s<>|"'{}()[\]]+)/)?.[1];
  return {
    channel: text.match(/analysis|commentary|final/g)?.at(-1) ?? "",
    recipient: recipient === "assistant" || recipient === "user" ? undefined : recipient,
    isComplete: marker === MESSAGE,
  };
}
