import type { Context } from "hono";
import { nearest } from "#runtime";
import { invalidRequest } from "../../kernel/errors.ts";

/** @throws ApiError 400 for an unknown query parameter; the message suggests the nearest known one */
export function refuseUnknownQuery(context: Context, known: readonly string[]): void {
  const unknown = Object.keys(context.req.query()).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const suggestion = nearest(unknown, known);
  const takes = known.length === 0 ? "this route takes none" : `this route takes ${known.join(" and ")}`;
  throw invalidRequest(
    `Unknown query parameter '${unknown.slice(0, 100)}': ${suggestion === undefined ? takes : `did you mean '${suggestion}'?`}`,
    unknown.slice(0, 100),
    "unknown_parameter",
  );
}
