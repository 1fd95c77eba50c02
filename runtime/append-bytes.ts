/**
 * Appends a `bytes` field to an encoded protobuf message; the order of fields is free. For large fields: the bytes are
 * copied once, while `toBinary` copies them each time its buffer grows.
 *
 * @param number the field's number, at most 15
 */
export function appendBytes(message: Uint8Array, number: number, bytes: Uint8Array): Uint8Array {
  let lengthBytes = 1;
  for (let rest = bytes.length; rest > 0x7f; rest >>>= 7) lengthBytes++;
  const appended = new Uint8Array(message.length + 1 + lengthBytes + bytes.length);
  appended.set(message);
  let at = message.length;
  appended[at++] = (number << 3) | lengthDelimited;
  let rest = bytes.length;
  for (; rest > 0x7f; rest >>>= 7) appended[at++] = (rest & 0x7f) | 0x80;
  appended[at++] = rest;
  appended.set(bytes, at);
  return appended;
}

/** The wire type of `bytes`. */
const lengthDelimited = 2;
