/** What of a form is looked through for its model's name: engines' clients send the fields before the files. */
const SEARCHED_BYTES = 64 * 1024;

/** The `model` field of a `multipart/form-data` body. */
export function modelOfForm(body: Uint8Array): string | undefined {
  const text = new TextDecoder("latin1").decode(body.subarray(0, SEARCHED_BYTES));
  const match = /name="?model"?[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n([^\r\n]{1,256})\r\n/i.exec(text);
  return match?.[1];
}

/** The `model` field of a JSON body. */
export function modelOfJson(json: unknown): string | undefined {
  if (typeof json !== "object" || json === null) return undefined;
  const model: unknown = Reflect.get(json, "model");
  return typeof model === "string" ? model : undefined;
}
