/**
 * GPT-2's spelling of bytes as printable characters, in which byte-level BPE vocabularies are written: a byte
 * that is printable Latin-1 stands for itself, the others follow from U+0100 in order.
 * @returns the bytes that `piece` spells; its UTF-8 bytes where it is not spelled so (added tokens)
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
 * The bytes of a SentencePiece vocabulary entry: `▁` is a space, `<0x0A>` a byte.
 */
export function decodeSentencePiece(piece: string): Uint8Array {
  const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(piece);
  return byte
    ? Uint8Array.of(Number.parseInt(byte[1]!, 16))
    : new TextEncoder().encode(piece.replaceAll("▁", " "));
}
