/** What can be done faster with a runtime's own means than with web standards. */
export interface ByteTools {
  /** As `Uint8Array.prototype.indexOf`. */
  indexOf(bytes: Uint8Array, byte: number, from: number): number;
  /**
   * Decodes base64 in ASCII, padded or not, up to the first character that has no place in it.
   * @param into large enough for three bytes for each four characters
   * @returns the number of decoded bytes: fewer than the text's length promises if the text is invalid
   */
  decodeBase64(text: Uint8Array, into: Uint8Array): number;
  /** Encodes as base64, with its padding, in ASCII. */
  encodeBase64(bytes: Uint8Array): Uint8Array;
  /** Resolves after other work that waits, such as received data. */
  nextTurn(): Promise<void>;
  /** vLLM's hashes are BLAKE3; where the runtime has none that is fast, SHA-256 tells media apart as well. */
  readonly hash: "blake3" | "sha256";
  createHasher(): Hasher;
}

export interface Hasher {
  /** @param bytes may change afterwards */
  update(bytes: Uint8Array): void;
  /** 64 hexadecimal digits. */
  hex(): string | Promise<string>;
}

const VALUES = new Uint8Array(256).fill(0xff);
for (const [value, character] of Array.from(
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
).entries())
  VALUES[character.charCodeAt(0)] = value;
// RFC 4648, section 5.
VALUES["-".charCodeAt(0)] = 62;
VALUES["_".charCodeAt(0)] = 63;

/** With web standards alone. */
export const webByteTools: ByteTools = {
  indexOf: (bytes, byte, from) => bytes.indexOf(byte, from),
  decodeBase64(text, into) {
    let bits = 0;
    let held = 0;
    let written = 0;
    for (const character of text) {
      const value = VALUES[character]!;
      if (value === 0xff) break;
      bits = ((bits << 6) | value) & 0xffffff;
      held += 6;
      if (held < 8) continue;
      held -= 8;
      into[written++] = bits >> held;
    }
    return written;
  },
  encodeBase64(bytes) {
    const pieces: string[] = [];
    for (let at = 0; at < bytes.length; at += PIECE)
      pieces.push(btoa(String.fromCharCode(...bytes.subarray(at, at + PIECE))));
    return new TextEncoder().encode(pieces.join(""));
  },
  nextTurn: () => new Promise((resolve) => setTimeout(resolve, 0)),
  hash: "sha256",
  createHasher() {
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    return {
      update: (bytes) => void pieces.push(new Uint8Array(bytes)),
      hex: async () => hexOf(await crypto.subtle.digest("SHA-256", await new Blob(pieces).arrayBuffer())),
    };
  },
};

/** A multiple of three, so that only the last piece is padded. */
const PIECE = 24 * 1024;

export const hexOf = (bytes: ArrayBuffer): string =>
  Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
