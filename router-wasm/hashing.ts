import type { Core } from "./core.ts";
import { RouterError } from "./errors.ts";
import type { BlockHashes, HashOptions, Salt } from "./types.ts";

const MASK32 = 0xffffffffn;
const MASK64 = 0xffffffffffffffffn;

/** The seed of unsalted blocks and of all sequence hashes. */
const BASE_SEED = 1337n;
/** The seeds of the names in a salt. */
const LORA_SEED = 0n;
const NAMESPACE_SEED = 1n;
/** Size of the core's hashing area. */
const AREA_BYTES = 65_536;

/** The seed of block hashes with a salt. An empty name counts as none. */
function saltSeed(core: Core, { loraName, namespace }: Salt): bigint {
  const seed = BASE_SEED + hashName(core, loraName, LORA_SEED) + hashName(core, namespace, NAMESPACE_SEED);
  return seed & MASK64;
}

/** Salts of a router's or a hasher's blocks. */
export class Salts {
  readonly #core: Core;
  /** The seed of blocks without a salt of their own. */
  readonly seed: bigint;
  readonly #loraNames: NameHashes;
  readonly #namespaces: NameHashes;
  /** What the core hashes with; undefined at first. */
  #used: UsedSalt | undefined;

  /** @param own the salt of all blocks without another one */
  constructor(core: Core, own: Salt) {
    this.#core = core;
    this.seed = saltSeed(core, own);
    this.#loraNames = new NameHashes(core, LORA_SEED);
    this.#namespaces = new NameHashes(core, NAMESPACE_SEED);
  }

  /**
   * Hashes with this salt from now on. Overwrites the core's event tokens.
   * @param salt undefined for its own
   * @param before blocks before those that will be hashed
   */
  use(salt: Salt | undefined, before = 0): void {
    const loraName = salt && (salt.loraName ?? "");
    const at = (salt?.sharedBlocks ?? 0) - before;
    const namespace = at < 0 ? "" : (salt?.namespace ?? "");
    const block = namespace ? at : undefined;
    const used = this.#used;
    if (
      used !== undefined &&
      used.loraName === loraName &&
      used.namespace === namespace &&
      used.block === block
    )
      return;
    const seed = loraName === undefined ? this.seed : BASE_SEED + this.#loraNames.of(loraName);
    const { exports } = this.#core;
    exports.useSalt(Number(seed & MASK32), Number((seed & MASK64) >> 32n));
    if (block !== undefined) {
      const salted = seed + this.#namespaces.of(namespace);
      exports.useBlockSalt(block, Number(salted & MASK32), Number((salted & MASK64) >> 32n));
    }
    this.#used = { loraName, namespace, block };
  }
}

interface UsedSalt {
  /** Undefined for the salt of blocks without one of their own. */
  readonly loraName: string | undefined;
  readonly namespace: string;
  /** With a namespace, the block that has it. */
  readonly block: number | undefined;
}

/** Most names whose hashes are kept: clients can choose namespaces. */
const KEPT_NAMES = 1024;

/** Hashes of the names used lately. */
class NameHashes {
  readonly #core: Core;
  readonly #seed: bigint;
  readonly #hashes = new Map<string, bigint>();

  constructor(core: Core, seed: bigint) {
    this.#core = core;
    this.#seed = seed;
  }

  of(name: string): bigint {
    let hash = this.#hashes.get(name);
    if (hash === undefined) {
      hash = hashName(this.#core, name, this.#seed);
      if (this.#hashes.size === KEPT_NAMES) this.#hashes.clear();
      this.#hashes.set(name, hash);
    }
    return hash;
  }
}

const hashName = (core: Core, name: string | undefined, seed: bigint) =>
  name ? hashBytes(core, new TextEncoder().encode(name), seed) : 0n;

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
