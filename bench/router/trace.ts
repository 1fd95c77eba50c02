import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { UsageError } from "../gateway/options.ts";

/**
 * The `hash_ids` of every request of a trace in Mooncake's format: JSON lines, gzipped or not.
 * @throws UsageError where the file is not such a trace
 */
export function readTrace(path: string): number[][] {
  const requests = textOf(path)
    .split("\n")
    .flatMap((line, index) => (line.trim() === "" ? [] : [hashIds(line, `${path}:${index + 1}`)]));
  if (requests.length === 0) throw new UsageError(`${path} has no requests.`);
  return requests;
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

function hashIds(line: string, place: string): number[] {
  const ids = idsOf(line);
  if (Array.isArray(ids) && ids.every((id) => Number.isSafeInteger(id))) return ids;
  throw new UsageError(`${place}: a line of a trace is an object with hash_ids, a list of whole numbers.`);
}

function idsOf(line: string): unknown {
  try {
    const request: unknown = JSON.parse(line);
    return typeof request === "object" && request !== null && "hash_ids" in request
      ? request.hash_ids
      : undefined;
  } catch {
    return undefined;
  }
}
