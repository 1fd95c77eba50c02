import { parse } from "yaml";
import type { ApiKey } from "./api-key.ts";
import { KeyFileError, readKeyFile } from "./key-file.ts";

/** An unusable key or certificate, or an unsupported option; the message says which, why, and what to do. */
export class AccessError extends Error {
  override name = "AccessError";
}

/**
 * Parses keys as `stator keys` writes them.
 * @param given YAML or JSON text, or parsed JSON
 * @param place where they come from, for messages
 * @throws AccessError that contains none of the input
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
    // The parser's message would quote the text.
    throw new AccessError(`${place} is neither YAML nor JSON.`);
  }
}
