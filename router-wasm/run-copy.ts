import { damaged, viewOf } from "./snapshot-format.ts";

/** Holder numbers are kind · 2^20 + worker; the kinds are those of `assembly/kinds.ts`. */
export const KIND_SHIFT = 20;
export const POOL_KIND = 4;
/** Bytes before a run's hashes, holders and aliases; `assembly/snapshot.ts` has the format. */
export const RUN_HEAD = 24;

/** A run's copy within its piece of a snapshot. */
export interface RunCopy {
  view: DataView;
  at: number;
  number: number;
  parent: number;
  length: number;
  /** 1 if some holder may have several hashes for a block. */
  severalHashes: number;
  shared: number;
  holders: number;
  aliases: number;
}

/** The runs in the content of a piece. Throws `bad_snapshot` if they are not whole. */
export function* runsIn(piece: Uint8Array): Generator<RunCopy> {
  const view = viewOf(piece);
  for (let at = 0; at < piece.length; ) {
    if (piece.length - at < RUN_HEAD) throw damaged("a run is truncated");
    const copy = {
      view,
      at,
      number: view.getUint32(at, true),
      parent: view.getUint32(at + 4, true),
      length: view.getUint8(at + 8),
      severalHashes: view.getUint8(at + 9),
      aliases: view.getUint16(at + 10, true),
      shared: view.getUint32(at + 12, true),
      holders: view.getUint32(at + 16, true),
    };
    const hashes = copy.length + ones(copy.shared);
    const end = at + RUN_HEAD + hashes * 8 + (copy.holders + copy.aliases) * 16;
    const isWhole = copy.length >= 1 && copy.length <= 32 && end <= piece.length;
    if (!isWhole || exceeds(copy.shared, copy.length)) throw damaged("a run is invalid");
    yield copy;
    at = end;
  }
}

export function exceeds(mask: number, length: number): boolean {
  return length < 32 && mask >>> length !== 0;
}

export function ones(mask: number): number {
  let count = 0;
  for (let bits = mask; bits !== 0; bits &= bits - 1) count++;
  return count;
}
