import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { UsageError } from "./command-line.ts";
import { forkedConversations } from "./forked-conversations.ts";

/** Mooncake's conversation trace; bench/README.md describes its origin. */
export const CONVERSATION_TRACE = fileURLToPath(
  new URL("data/mooncake-conversation.jsonl.gz", import.meta.url),
);

/** Name of the trace from `forkedConversations`, accepted in place of a file. */
export const FORKS = "forks";

export interface TraceLine {
  /** The parsed line; undefined if it is not JSON. */
  value: unknown;
  /** `file:line`, for errors. */
  place: string;
}

/**
 * Reads the lines of a trace in Mooncake's format, JSON lines, gzipped or not; or of the generated trace.
 * @throws UsageError if the file cannot be read or is empty
 */
export function traceLines(path: string): TraceLine[] {
  if (path === FORKS)
    return forkedConversations().map((value, index) => ({ value, place: `${path}:${index + 1}` }));
  const lines = textOf(path)
    .split("\n")
    .flatMap((line, index) =>
      line.trim() === "" ? [] : [{ value: parse(line), place: `${path}:${index + 1}` }],
    );
  if (lines.length === 0) throw new UsageError(`${path} has no requests.`);
  return lines;
}

function textOf(path: string): string {
  try {
    const bytes = readFileSync(path);
    const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
    return (isGzip ? gunzipSync(bytes) : bytes).toString("utf8");
  } catch (error) {
    throw new UsageError(
      `The trace cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
