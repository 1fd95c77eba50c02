import { Core } from "./core.ts";
import { RouterError } from "./errors.ts";
import { mediaHash, Salts } from "./hashing.ts";
import { writeMedia } from "./media.ts";
import { integer } from "./options.ts";
import type { BlockExtras } from "./types.ts";

/** Length of a key for local hashes, in bytes. */
export const HASH_KEY_BYTES = 16;

const MASK32 = 0xffffffffn;

/** Sets the key of a core's local hashes. Throws `bad_option` for a key of another length. */
export function useHashKey({ exports }: Core, key: Uint8Array): void {
  if (key.length !== HASH_KEY_BYTES)
    throw new RouterError(
      "bad_option",
      `The hash key has ${key.length} bytes; it must have ${HASH_KEY_BYTES}.`,
    );
  const view = new DataView(key.buffer, key.byteOffset, key.length);
  const [k0, k1, k2, k3] = [0, 4, 8, 12].map((at) => view.getInt32(at, true)) as [
    number,
    number,
    number,
    number,
  ];
  exports.useKey(k0, k1, k2, k3);
}

/** The keyed hash (SipHash-2-4) of a number. */
export function maskHash(core: Core, hash: bigint): bigint {
  const at = core.exports.eventArea() >>> 3;
  core.u64[at] = hash;
  core.exports.maskEvent(1);
  return core.u64[at]!;
}

/**
 * Hashes what a worker's KV events tell of prompts, with the key of the gateways' routers, so that they route by events
 * from which nobody else can learn a prompt.
 */
export class KvHasher {
  readonly blockSize: number;
  readonly #core: Core;
  readonly #salts: Salts;
  readonly #hashesAt: number;
  readonly #tokensAt: number;
  readonly #localsAt: number;
  readonly #blocksPerPiece: number;

  /** Throws `bad_option`, `bad_module` or `memory`. */
  constructor(module: WebAssembly.Module, options: { blockSize: number; key: Uint8Array }) {
    this.blockSize = integer("blockSize", options.blockSize, 1, 16_384);
    const core = new Core(module);
    const { exports } = core;
    this.#salts = new Salts(core, {});
    if (!exports.init(this.blockSize, 1, 1, 0, 1))
      throw new RouterError("memory", "There is not enough memory for hashing KV events.");
    useHashKey(core, options.key);
    this.#core = core;
    this.#hashesAt = exports.eventArea() >>> 3;
    this.#tokensAt = exports.eventTokensArea() >>> 2;
    this.#localsAt = exports.eventLocalsArea() >>> 3;
    this.#blocksPerPiece = exports.eventBlocks();
  }

  /** As `Router.mediaHash`. */
  mediaHash(identifier: string): bigint {
    return mediaHash(this.#core, identifier);
  }

  /**
   * The local hashes of consecutive blocks, which a router with the same key finds for the same prompt.
   * @param tokenIds of whole blocks
   * @param before the local hash of the block before them; undefined at the start of a sequence
   */
  localHashes(tokenIds: Uint32Array, before: bigint | undefined, extras: BlockExtras = {}): BigUint64Array {
    const core = this.#core;
    const blocks = Math.floor(tokenIds.length / this.blockSize);
    const locals = new BigUint64Array(blocks);
    let previous = before ?? 0n;
    for (let done = 0; done < blocks; done += this.#blocksPerPiece) {
      const piece = Math.min(blocks - done, this.#blocksPerPiece);
      this.#salts.use(extras.salt, done);
      core.u32.set(tokenIds.subarray(done * this.blockSize, (done + piece) * this.blockSize), this.#tokensAt);
      const hasMedia = writeMedia(core, extras.mmHashes, done, piece);
      core.exports.hashEvent(piece, hasMedia ? 1 : 0, Number(previous & MASK32), Number(previous >> 32n));
      locals.set(core.u64.subarray(this.#localsAt, this.#localsAt + piece), done);
      previous = locals[done + piece - 1]!;
    }
    return locals;
  }

  /** Keyed hashes in place of an engine's own, which may be hashes of prompts too. */
  masked(hashes: BigUint64Array): BigUint64Array {
    const core = this.#core;
    const masked = new BigUint64Array(hashes.length);
    for (let done = 0; done < hashes.length; done += this.#blocksPerPiece) {
      const piece = Math.min(hashes.length - done, this.#blocksPerPiece);
      core.u64.set(hashes.subarray(done, done + piece), this.#hashesAt);
      core.exports.maskEvent(piece);
      masked.set(core.u64.subarray(this.#hashesAt, this.#hashesAt + piece), done);
    }
    return masked;
  }
}
