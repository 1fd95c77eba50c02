/**
 * Decodes GPT-2's encoding of bytes as printable characters, used by byte-level BPE vocabularies: printable Latin-1
 * bytes are themselves, the others follow from U+0100 in order.
 * @returns the bytes of `piece`; its UTF-8 bytes if it is not encoded that way (added tokens)
 */
export function decodeByteLevel(piece: string): Uint8Array {
  const bytes = new Uint8Array(piece.length);
  let length = 0;
  for (const character of piece) {
    const byte = BYTE_OF_CHARACTER.get(character);
    if (byte === undefined) return new TextEncoder().encode(piece);
    bytes[length++] = byte;
  }
  return bytes.subarray(0, length);
}

const BYTE_OF_CHARACTER = new Map<string, number>();
for (let byte = 0, next = 0x100; byte < 256; byte++) {
  const isPrintable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
  BYTE_OF_CHARACTER.set(String.fromCharCode(isPrintable ? byte : next++), byte);
}

/**
 * Decodes a SentencePiece vocabulary entry: `▁` is a space, `<0x0A>` a byte.
 */
export function decodeSentencePiece(piece: string): Uint8Array {
  const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(piece);
  return byte
    ? Uint8Array.of(Number.parseInt(byte[1]!, 16))
    : new TextEncoder().encode(piece.replaceAll("▁", " "));
}
