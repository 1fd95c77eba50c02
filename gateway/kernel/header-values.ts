/** What Node writes of a header's value: visible ASCII, spaces, tabs, and bytes above ASCII (RFC 9110, section 5.5). */
const UNWRITABLE = /[^\t\x20-\x7e\x80-\xff]/;

/** Whether a value that somebody else gave can be written as it is. @param value one character a byte */
export const isWritable = (value: string): boolean => !UNWRITABLE.test(value);

/** A name as the value of one of this gateway's own headers: what is not plain ASCII is percent-encoded, as `%` is. */
export const encodeHeaderValue = (value: string): string =>
  value.toWellFormed().replace(/[^\x20-\x24\x26-\x7e]+/g, encodeURIComponent);

/**
 * The text that a client gave in a header: in UTF-8, or percent-encoded as in an answer.
 * @param value one character a byte
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
