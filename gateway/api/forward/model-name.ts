/** What of a form is looked through for its model's name: engines' clients send the fields before the files. */
const SEARCHED_BYTES = 64 * 1024;

/** Where the value of the `model` field of a `multipart/form-data` body is, in bytes. */
export function rangeOfForm(body: Uint8Array): readonly [from: number, to: number] | undefined {
  // One character for each byte.
  const text = new TextDecoder("latin1").decode(body.subarray(0, SEARCHED_BYTES));
  const match = /name="?model"?[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n([^\r\n]{1,256})\r\n/i.exec(text);
  if (match === null) return undefined;
  const to = match.index + match[0].length - 2;
  return [to - match[1]!.length, to];
}

/** The `model` field of a `multipart/form-data` body. */
export function modelOfForm(body: Uint8Array): string | undefined {
  const range = rangeOfForm(body);
  return range && new TextDecoder().decode(body.subarray(...range));
}

/** The `model` field of a JSON body. */
export function modelOfJson(json: unknown): string | undefined {
  if (typeof json !== "object" || json === null) return undefined;
  const model: unknown = Reflect.get(json, "model");
  return typeof model === "string" ? model : undefined;
}
