import { UsageError } from "../command-line.ts";
import { traceLines } from "../trace-file.ts";

/**
 * The `hash_ids` of every request in a trace in Mooncake's format.
 * @throws UsageError if the file is not such a trace
 */
export function readTrace(path: string): number[][] {
  return traceLines(path).map(({ value, place }) => hashIds(value, place));
}

function hashIds(request: unknown, place: string): number[] {
  const ids =
    typeof request === "object" && request !== null && "hash_ids" in request ? request.hash_ids : undefined;
  if (Array.isArray(ids) && ids.every((id) => Number.isSafeInteger(id))) return ids;
  throw new UsageError(`${place}: a line of a trace must be an object with hash_ids, a list of integers.`);
}
