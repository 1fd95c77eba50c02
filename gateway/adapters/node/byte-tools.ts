import { type Logger, messageOf } from "#runtime";
import { type ByteTools, webByteTools } from "../../media/byte-tools.ts";

/** Node's own means: several times as fast as what web standards offer. */
export async function nodeByteTools(log: Logger): Promise<ByteTools> {
  return {
    indexOf: (bytes, byte, from) => Buffer.prototype.indexOf.call(bytes, byte, from),
    decodeBase64: (text, into) => asBuffer(into).write(asBuffer(text).toString("latin1"), "base64"),
    encodeBase64: (bytes) => Buffer.from(asBuffer(bytes).toString("base64"), "latin1"),
    // A timer's least is a millisecond, as long as hashing what is hashed in a turn.
    nextTurn: () => new Promise((resolve) => setImmediate(resolve)),
    ...(await nativeHasher(log)),
  };
}

/** BLAKE3, at several gigabytes a second. */
async function nativeHasher(log: Logger): Promise<Pick<ByteTools, "hash" | "createHasher">> {
  try {
    const { Blake3Hasher } = await import("@napi-rs/blake-hash");
    return {
      hash: "blake3",
      createHasher() {
        const hasher = new Blake3Hasher();
        return {
          update: (bytes) => void hasher.update(asBuffer(bytes)),
          hex: () => hasher.digest("hex"),
        };
      },
    };
  } catch (error) {
    log.warn("BLAKE3's addon failed to load; media are hashed with SHA-256, which vLLM does not use", {
      reason: messageOf(error),
    });
    return { hash: webByteTools.hash, createHasher: webByteTools.createHasher };
  }
}

const asBuffer = ({ buffer, byteOffset, length }: Uint8Array) => Buffer.from(buffer, byteOffset, length);
