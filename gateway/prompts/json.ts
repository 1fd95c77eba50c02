/** Parses JSON; undefined if it is invalid. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A list of objects; undefined for anything else. */
export function recordsOf(value: unknown): Record<string, unknown>[] | undefined {
  return Array.isArray(value) && value.every(isRecord) ? value : undefined;
}

/** The text of a message content, which may be a string or a list of parts. */
export function textOf(content: unknown): string {
  return typeof content === "string" ? content : textsOf(content).join("\n");
}

/** The texts in a list of content parts. */
export function textsOf(content: unknown): string[] {
  return (recordsOf(content) ?? []).flatMap(({ text }) => (typeof text === "string" ? [text] : []));
}
