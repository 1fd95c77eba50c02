/** The `model` field of a JSON body. */
export function modelOfJson(json: unknown): string | undefined {
  if (typeof json !== "object" || json === null) return undefined;
  const model: unknown = Reflect.get(json, "model");
  return typeof model === "string" ? model : undefined;
}
