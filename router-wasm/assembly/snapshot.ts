// A consistent copy of the index as of when the snapshot began, made piece by piece while events continue to be
// applied: a run is copied before it changes. Predictions are not included.
//
// For each run, oldest first:
//    0  u32  run, as a number           4  u32  parent block: run · 32 + place, 0 for none
//    8  u8   blocks   9  u8  1: a holder may have several hashes for a block   10  u16  aliases
//   12  u32  mask of blocks with an engine hash
//   16  u32  holders                   20  u32  unused
//   then u64 local hashes; u64 engine hashes of the mask's blocks; for each holder: u32 number, u32 mask, u32 mask of
//   blocks held only under its own hashes, u32 unused; for each alias: u64 hash, u32 holder, u32 place
//
// A holder's number here is kind · 2^20 + worker.
import { oldest } from "./age";
import { aliasHash, aliasPlace, aliasWorker, countAliases, eachAlias } from "./aliases";
import { eachHolder } from "./holders";
import { kindOf, PREDICTED, stride } from "./kinds";
import { recycle, takeForPrompt } from "./memory";
import {
  COPIED,
  eachRun,
  engineOf,
  FLAGS,
  lengthOf,
  linksOf,
  localsOf,
  NEWER,
  PARENT,
  placeOf,
  runOf,
  SEVERAL_HASHES,
  SHARED,
} from "./run";
import { copiedFlag, cursor, flipCopied, setCursor } from "./snapshot-state";

export const KIND_SHIFT: u32 = 20;
const HEAD_BYTES: usize = 24;

/** Address of the copied runs, until the host takes them. */
export let snapshotOut: usize = 0;
/** Bytes at that address. */
export let snapshotBytes: u32 = 0;
let capacity: usize = 0;

export let snapshotting: bool = false;
/** Whether there was no memory for a run's copy. */
let failed: bool = false;
export let copiedRuns: u32 = 0;

// @ts-ignore: decorator
@inline
function isCopied(run: usize): bool {
  return (load<u8>(run, FLAGS) & COPIED) == copiedFlag;
}

export function beginSnapshot(): void {
  if (snapshotting) endSnapshot();
  flipCopied(COPIED);
  snapshotting = true;
  failed = false;
  snapshotBytes = 0;
  copiedRuns = 0;
  setCursor(oldest);
}

/** Copies runs until there are this many bytes. False if memory has run out, so that the snapshot is lost. */
export function continueSnapshot(bytes: u32): bool {
  while (cursor && !failed && snapshotBytes < bytes) {
    const run = cursor;
    setCursor(load<u32>(linksOf(run), NEWER));
    if (!isCopied(run)) copy(run);
  }
  return !failed;
}

/** The host has taken the copied bytes. */
export function takeSnapshot(): void {
  snapshotBytes = 0;
}

/** Ends the snapshot, complete or not. */
export function endSnapshot(): void {
  if (cursor) eachRun((run: usize): void => store<u8>(run, (load<u8>(run, FLAGS) & ~COPIED) | copiedFlag, FLAGS));
  setCursor(0);
  snapshotting = false;
}

/** Copies a run that is about to change or be freed, if necessary. */
// @ts-ignore: decorator
@inline
export function preserve(run: usize): void {
  if (snapshotting && !isCopied(run)) copy(run);
}

let holders: u32 = 0;
let out: usize = 0;

function copy(run: usize): void {
  store<u8>(run, (load<u8>(run, FLAGS) & ~COPIED) | copiedFlag, FLAGS);
  const length = lengthOf(run);
  const shared = load<u32>(run, SHARED);
  const aliases = countAliases(run);
  holders = 0;
  eachHolder(run, (_run: usize, _mask: u32, _own: u32, h: u32): void => {
    if (kindOf(h) != PREDICTED) holders++;
  });
  const bytes = HEAD_BYTES + ((length + popcnt(shared)) << 3) + ((holders + aliases) << 4);
  if (!reserve(bytes)) {
    failed = true;
    return;
  }
  out = snapshotOut + snapshotBytes;
  snapshotBytes += <u32>bytes;
  const parent = load<u32>(run, PARENT);
  store<u32>(out, numberOf(run));
  store<u32>(out, parent ? (numberOf(runOf(parent)) << 5) | placeOf(parent) : 0, 4);
  store<u8>(out, <u8>length, 8);
  store<u8>(out, load<u8>(run, FLAGS) & SEVERAL_HASHES, 9);
  store<u16>(out, <u16>aliases, 10);
  store<u32>(out, shared, 12);
  store<u32>(out, holders, 16);
  store<u32>(out, 0, 20);
  out += HEAD_BYTES;
  memory.copy(out, localsOf(run), length << 3);
  out += length << 3;
  for (let bits = shared; bits; bits &= bits - 1, out += 8) store<u64>(out, engineOf(run, <u32>ctz(bits)));
  eachHolder(run, (_run: usize, mask: u32, own: u32, h: u32): void => {
    const kind = kindOf(h);
    if (kind == PREDICTED) return;
    store<u32>(out, (kind << KIND_SHIFT) | (h - kind * stride));
    store<u32>(out, mask, 4);
    store<u32>(out, own, 8);
    store<u32>(out, 0, 12);
    out += 16;
  });
  eachAlias(run, (alias: usize): void => {
    const h = aliasWorker(alias);
    const kind = kindOf(h);
    store<u64>(out, aliasHash(alias));
    store<u32>(out, (kind << KIND_SHIFT) | (h - kind * stride), 8);
    store<u32>(out, aliasPlace(alias), 12);
    out += 16;
  });
  copiedRuns++;
}

/** Runs are 64 bytes apart, so that block numbers have 31 bits. */
// @ts-ignore: decorator
@inline
export function numberOf(run: usize): u32 {
  return <u32>(run >> 6);
}

function reserve(bytes: usize): bool {
  const wanted = <usize>snapshotBytes + bytes;
  if (wanted <= capacity) return true;
  let size = max(capacity, 65536);
  while (size < wanted) size <<= 1;
  const piece = takeForPrompt(size);
  if (!piece) return false;
  if (capacity) {
    memory.copy(piece, snapshotOut, snapshotBytes);
    recycle(snapshotOut, capacity);
  }
  snapshotOut = piece;
  capacity = size;
  return true;
}
