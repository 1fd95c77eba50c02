import { z } from "zod";
import { nearest } from "#runtime";

/** An object that rejects unknown keys with a message that suggests the nearest known one, or lists all of them. */
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
