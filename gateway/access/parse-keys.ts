import { parse } from "yaml";
import type { ApiKey } from "./api-key.ts";
import { KeyFileError, readKeyFile } from "./key-file.ts";

/** A file that says who may come in cannot be used; the message says which, why, and what to do. */
export class AccessError extends Error {
  override name = "AccessError";
}

/**
 * Keys as `stator keys` writes them.
 * @param given YAML or JSON, or what JSON stands for
 * @param place where they come from, for messages
 * @throws AccessError that shows nothing of what was given
 */
export function parseKeys(given: unknown, place: string): ApiKey[] {
  try {
    return readKeyFile(typeof given === "string" ? parseDocument(given, place) : given);
  } catch (error) {
    if (error instanceof KeyFileError) throw new AccessError(`${place}: ${error.message}.`);
    throw error;
  }
}

function parseDocument(text: string, place: string): unknown {
  try {
    // JSON is YAML too.
    return parse(text);
  } catch {
    // The parser's own message would quote the text.
    throw new AccessError(`${place} is neither YAML nor JSON.`);
  }
}
