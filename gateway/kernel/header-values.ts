/** Not allowed in a header: all but visible ASCII, spaces, tabs and bytes above ASCII (RFC 9110, section 5.5). */
const UNWRITABLE = /[^\t\x20-\x7e\x80-\xff]/;

/** Whether an external value can be written unchanged. @param value with one character per byte */
export const isWritable = (value: string): boolean => !UNWRITABLE.test(value);

/** Encodes a name for one of the gateway's own headers: `%` and non-ASCII characters are percent-encoded. */
export const encodeHeaderValue = (value: string): string =>
  value.toWellFormed().replace(/[^\x20-\x24\x26-\x7e]+/g, encodeURIComponent);

/**
 * Decodes a client's header, which is in UTF-8 or percent-encoded.
 * @param value with one character per byte
 */
export function decodeHeaderValue(value: string): string {
  const text = /[\x80-\xff]/.test(value) ? readUtf8(value) : value;
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function readUtf8(value: string): string {
  try {
    const bytes = Uint8Array.from(value, (character) => character.charCodeAt(0));
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return value;
  }
}
