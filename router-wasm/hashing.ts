import type { Core } from "./core.ts";
import { RouterError } from "./errors.ts";
import type { BlockHashes, HashOptions, Salt } from "./types.ts";

const MASK32 = 0xffffffffn;
const MASK64 = 0xffffffffffffffffn;

/** The seed of unsalted blocks and of all sequence hashes. */
const BASE_SEED = 1337n;
/** Size of the core's hashing area. */
const AREA_BYTES = 65_536;

/** The seed of block hashes with a salt. An empty name counts as none. */
function saltSeed(core: Core, salt: Salt): bigint {
  const encoder = new TextEncoder();
  let seed = BASE_SEED;
  if (salt.loraName) seed += hashBytes(core, encoder.encode(salt.loraName), 0n);
  if (salt.namespace) seed += hashBytes(core, encoder.encode(salt.namespace), 1n);
  return seed & MASK64;
}

/** Numbers the salts in use, and tracks which one the core hashes with. */
export class Salts {
  readonly #core: Core;
  readonly #seeds: bigint[] = [];
  #used = -1;

  /** The seed of salt 0. */
  get seed(): bigint {
    return this.#seeds[0]!;
  }

  /** `first` has number 0. */
  constructor(core: Core, first: Salt) {
    this.#core = core;
    this.number(first);
  }

  number(salt: Salt): number {
    const seed = saltSeed(this.#core, salt);
    const known = this.#seeds.indexOf(seed);
    return known >= 0 ? known : this.#seeds.push(seed) - 1;
  }

  /** Throws `bad_option` for a number that `number` never returned. */
  use(number: number): void {
    if (number === this.#used) return;
    const seed = this.#seeds[number];
    if (seed === undefined)
      throw new RouterError("bad_option", `There is no salt ${number}: get one from salt().`);
    this.#core.exports.useSalt(Number(seed & MASK32), Number(seed >> 32n));
    this.#used = number;
  }
}

/** Block and sequence hashes of the whole blocks of `tokens`. */
export function hashBlocks(core: Core, tokens: Uint32Array, options: HashOptions): BlockHashes {
  const { blockSize, mmHashes } = options;
  const seed = saltSeed(core, options);
  const blocks = Math.floor(tokens.length / blockSize);
  const blockHashes = new BigUint64Array(blocks);
  const sequenceHashes = new BigUint64Array(blocks);
  const link = new BigUint64Array(2);
  for (let i = 0; i < blocks; i++) {
    const ids = tokens.subarray(i * blockSize, (i + 1) * blockSize);
    const hash = hashBytes(core, blockBytes(ids, mmHashes?.[i]), seed);
    blockHashes[i] = hash;
    link[0] = sequenceHashes[i - 1] ?? 0n;
    link[1] = hash;
    sequenceHashes[i] = i === 0 ? hash : hashBytes(core, new Uint8Array(link.buffer), BASE_SEED);
  }
  return { blockHashes, sequenceHashes };
}

/** Of 64 hexadecimal digits, takes the first 16, like vLLM; any other identifier is hashed. */
export function mediaHash(core: Core, identifier: string): bigint {
  if (/^[0-9a-f]{64}$/i.test(identifier)) return BigInt(`0x${identifier.slice(0, 16)}`);
  return hashBytes(core, new TextEncoder().encode(identifier), 0n);
}

/** Token ids, then the sorted multimodal hashes. */
function blockBytes(ids: Uint32Array, mmHashes: BigUint64Array | null | undefined): Uint8Array {
  const idBytes = new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength);
  if (!mmHashes?.length) return idBytes;
  const sorted = mmHashes.slice().sort();
  const bytes = new Uint8Array(ids.byteLength + sorted.byteLength);
  bytes.set(idBytes);
  bytes.set(new Uint8Array(sorted.buffer), ids.byteLength);
  return bytes;
}

/** XXH3-64. */
function hashBytes(core: Core, bytes: Uint8Array, seed: bigint): bigint {
  if (bytes.length > AREA_BYTES) {
    throw new RouterError(
      "bad_option",
      `${bytes.length} bytes are too many to hash; the limit is ${AREA_BYTES}.`,
    );
  }
  const { exports } = core;
  if (exports.eventArea() === 0)
    throw new RouterError("memory", "There is not enough memory for the router.");
  new Uint8Array(exports.memory.buffer, exports.eventTokensArea(), bytes.length).set(bytes);
  exports.hashBytes(bytes.length, Number(seed & MASK32), Number(seed >> 32n));
  return core.u64[exports.resultArea() >>> 3] ?? 0n;
}
