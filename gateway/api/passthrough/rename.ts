import { splice, withValue } from "../../kernel/json-fields.ts";
import type { ModelInForm } from "./form.ts";

/**
 * Replaces the value of a JSON object's field `model`, and keeps every other byte.
 * @param body a valid JSON object
 */
export const renameInJson = (body: Uint8Array, model: string): Uint8Array => withValue(body, "model", model);

/** The same for the field `model` of a form. */
export const renameInForm = (body: Uint8Array, { range }: ModelInForm, model: string): Uint8Array =>
  splice(body, range[0], range[1], model);

/** The same for a path's query. */
export function renameInQuery(search: string, model: string): string {
  const query = new URLSearchParams(search);
  if (!query.has("model")) return search;
  query.set("model", model);
  return `?${query}`;
}

/** The `model` field of a JSON body. */
export function modelOfJson(json: unknown): string | undefined {
  if (typeof json !== "object" || json === null) return undefined;
  const model: unknown = Reflect.get(json, "model");
  return typeof model === "string" ? model : undefined;
}
