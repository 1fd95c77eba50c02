import { recordsOf } from "../kernel/json.ts";

/** The text of a message content, which may be a string or a list of parts. */
export function textOf(content: unknown): string {
  return typeof content === "string" ? content : textsOf(content).join("\n");
}

/** The texts in a list of content parts. */
export function textsOf(content: unknown): string[] {
  return (recordsOf(content) ?? []).flatMap(({ text }) => (typeof text === "string" ? [text] : []));
}
