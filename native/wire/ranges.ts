import { TransferError } from "../errors.ts";
import type { Range } from "../transfer.ts";

/** Bytes that are contiguous on both sides of a transfer. */
export interface Piece {
  /** From the start of the local memory. */
  readonly local: number;
  /** From the start of the peer's memory. */
  readonly remote: number;
  readonly length: number;
}

export const totalOf = (ranges: readonly { readonly length: number }[]): number =>
  ranges.reduce((total, { length }) => total + length, 0);

/** @throws TransferError `invalid` or `out_of_range` unless every range is inside `length` bytes */
export function checkRanges(ranges: readonly Range[], length: number): readonly Range[] {
  for (const range of ranges) {
    if (!isSize(range.offset) || !isSize(range.length))
      throw new TransferError("invalid", "A range's offset and length must be non-negative integers.");
    if (range.offset + range.length > length) {
      const message = `The range of ${range.length} bytes at ${range.offset} is outside the ${length} bytes of its memory.`;
      throw new TransferError("out_of_range", message);
    }
  }
  return ranges;
}

/** Ranges of the concatenation of `base`, as ranges of what `base` refers to. `picks` have been checked. */
export function selectRanges(base: readonly Range[], picks: readonly Range[]): readonly Range[] {
  if (base.length === 1)
    return picks.map(({ offset, length }) => ({ offset: base[0]!.offset + offset, length }));
  const starts: number[] = [];
  let total = 0;
  for (const { length } of base) {
    starts.push(total);
    total += length;
  }
  return picks.flatMap(({ offset, length }) => {
    const parts: Range[] = [];
    for (let index = lastAtOrBefore(starts, offset); length > 0; index++) {
      const inside = offset - starts[index]!;
      const taken = Math.min(length, base[index]!.length - inside);
      if (taken > 0) parts.push({ offset: base[index]!.offset + inside, length: taken });
      offset += taken;
      length -= taken;
    }
    return parts;
  });
}

/** Cuts and joins both sides so that each piece is as much as is contiguous on both. @throws TransferError `wrong_size` if totals differ */
export function pairRanges(local: readonly Range[], remote: readonly Range[]): Piece[] {
  const [localTotal, remoteTotal] = [totalOf(local), totalOf(remote)];
  if (localTotal !== remoteTotal) {
    const message = `The local side has ${localTotal} bytes and the peer's ${remoteTotal}.`;
    throw new TransferError("wrong_size", message);
  }
  const pieces: Piece[] = [];
  let [here, there, usedHere, usedThere] = [0, 0, 0, 0];
  while (here < local.length && there < remote.length) {
    const [one, other] = [local[here]!, remote[there]!];
    const length = Math.min(one.length - usedHere, other.length - usedThere);
    if (length > 0) addPiece(pieces, one.offset + usedHere, other.offset + usedThere, length);
    usedHere += length;
    usedThere += length;
    if (usedHere === one.length) [here, usedHere] = [here + 1, 0];
    if (usedThere === other.length) [there, usedThere] = [there + 1, 0];
  }
  return pieces;
}

function addPiece(pieces: Piece[], local: number, remote: number, length: number): void {
  const last = pieces.at(-1);
  const continues =
    last !== undefined && last.local + last.length === local && last.remote + last.length === remote;
  if (continues) pieces[pieces.length - 1] = { ...last, length: last.length + length };
  else pieces.push({ local, remote, length });
}

const isSize = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

function lastAtOrBefore(starts: readonly number[], offset: number): number {
  let [low, high] = [0, starts.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (starts[middle]! <= offset) low = middle;
    else high = middle;
  }
  return low;
}
