import { z } from "zod";
import { nearest } from "#runtime";

/** An object whose unknown keys are refused in words for people: with the nearest known one, or all of them. */
export function strictObject<const Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys" ? suggest(issue.keys[0] ?? "", Object.keys(shape)) : undefined,
  });
}

function suggest(key: string, names: readonly string[]): string {
  const suggestion = nearest(key, names);
  return suggestion === undefined ? `it takes ${names.join(", ")}` : `did you mean '${suggestion}'?`;
}
