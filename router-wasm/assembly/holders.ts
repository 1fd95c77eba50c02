// Who holds which blocks of a run. A slot is (mask of blocks held, mask of those held only under engine hashes of the
// holder's own, number of the holder). The first two live in the run, the next ones in 64-byte lines of five. From the
// eighth on, workers that hold or are predicted to hold the whole run move into bit sets, which is what makes many
// workers cheap to look at.
import { clearBit, hasBit, setBit } from "./bit-set";
import { stride } from "./kinds";
import { poolInit, poolLeave, poolReady, poolTake } from "./memory";
import { firstBits, INLINE, lengthOf, LINE, WIDE } from "./run";

export const HOLDER_BYTES: usize = 12;
const INLINE_END: usize = INLINE + 2 * HOLDER_BYTES;
const LINE_BYTES: u32 = 64;
export const LINE_HOLDERS_END: usize = 60;
/** In a line: the next line. */
export const NEXT_LINE: usize = 60;

/**
 * Bit sets: u32 number of holders in them, u32 how many of these are under hashes of their own; at 16 the workers under shared hashes and those predicted, then at
 * `WIDE_SETS + ownSets` the workers under hashes of their own.
 */
export const WIDE_SETS: usize = 16;
export const WIDE_OWN: usize = 4;
/** Bytes for the workers in one bit set, a multiple of 16. */
export let strideBytes: usize = 0;
export let ownSets: usize = 0;
let wideBytes: usize = 0;

const LINES: usize = memory.data(16, 4);
const WIDES: usize = memory.data(16, 4);

/** Call `initKinds` before. */
export function initHolders(): void {
  strideBytes = <usize>stride >> 3;
  ownSets = strideBytes << 1;
  wideBytes = WIDE_SETS + ownSets + strideBytes;
  poolInit(LINES, LINE_BYTES, 16);
  poolInit(WIDES, <u32>((wideBytes + 63) & ~63), 4);
}

/** Sees to it that the next `setHolder` has the memory it may want. */
export function holdersReady(): bool {
  return poolReady(LINES, 1) && poolReady(WIDES, 1);
}

/** 0: the worker is in neither bit set; 1: under shared hashes; 2: under its own. */
// @ts-ignore: decorator
@inline
function wideKind(run: usize, w: u32): u32 {
  const wide = <usize>load<u32>(run, WIDE);
  if (!wide || w >= stride << 1) return 0;
  if (hasBit(wide + WIDE_SETS, w)) return 1;
  return w < stride && hasBit(wide + WIDE_SETS + ownSets, w) ? 2 : 0;
}

/** The address of the worker's holder, 0 when it has none outside the bit sets. */
function slotOf(run: usize, w: u32): usize {
  for (let at = run + INLINE; at < run + INLINE_END; at += HOLDER_BYTES) {
    if (load<u32>(at) && load<u32>(at, 8) == w) return at;
  }
  for (let line = <usize>load<u32>(run, LINE); line; line = load<u32>(line, NEXT_LINE)) {
    for (let at = line; at < line + LINE_HOLDERS_END; at += HOLDER_BYTES) {
      if (load<u32>(at) && load<u32>(at, 8) == w) return at;
    }
  }
  return 0;
}

/** Blocks of the run that the worker holds. */
export function heldMask(run: usize, w: u32): u32 {
  if (wideKind(run, w)) return firstBits(lengthOf(run));
  const slot = slotOf(run, w);
  return slot ? load<u32>(slot) : 0;
}

/** Blocks of the run that the worker holds only under hashes of its own. */
export function ownMask(run: usize, w: u32): u32 {
  const kind = wideKind(run, w);
  if (kind) return kind == 2 ? firstBits(lengthOf(run)) : 0;
  const slot = slotOf(run, w);
  return slot ? load<u32>(slot, 4) : 0;
}

/** Blocks of the run that anybody holds. */
export function anyMask(run: usize): u32 {
  if (load<u32>(run, WIDE)) return firstBits(lengthOf(run));
  let mask = load<u32>(run, INLINE) | load<u32>(run, INLINE + HOLDER_BYTES);
  for (let line = <usize>load<u32>(run, LINE); line; line = load<u32>(line, NEXT_LINE)) {
    for (let at = line; at < line + LINE_HOLDERS_END; at += HOLDER_BYTES) mask |= load<u32>(at);
  }
  return mask;
}

/** Whether nobody but the worker holds anything of the run. */
export function onlyHolder(run: usize, w: u32): bool {
  for (let at = run + INLINE; at < run + INLINE_END; at += HOLDER_BYTES) {
    if (load<u32>(at) && load<u32>(at, 8) != w) return false;
  }
  for (let line = <usize>load<u32>(run, LINE); line; line = load<u32>(line, NEXT_LINE)) {
    for (let at = line; at < line + LINE_HOLDERS_END; at += HOLDER_BYTES) {
      if (load<u32>(at) && load<u32>(at, 8) != w) return false;
    }
  }
  const wide = <usize>load<u32>(run, WIDE);
  return !wide || (load<u32>(wide) == 1 && wideKind(run, w) != 0);
}

/** Calls `visit` with the run and each holder's masks and worker, those in the bit sets included. */
export function eachHolder(run: usize, visit: (run: usize, mask: u32, own: u32, w: u32) => void): void {
  for (let slot = firstSlot(run); slot; slot = nextSlot(run, slot)) {
    visit(run, load<u32>(slot), load<u32>(slot, 4), load<u32>(slot, 8));
  }
  const wide = <usize>load<u32>(run, WIDE);
  if (!wide) return;
  const full = firstBits(lengthOf(run));
  for (let i: usize = 0; i < ownSets + strideBytes; i += 8) {
    let bits = load<u64>(wide + WIDE_SETS + i);
    for (; bits; bits &= bits - 1) {
      const own = i >= ownSets;
      visit(run, full, own ? full : 0, <u32>(((own ? i - ownSets : i) << 3) + <usize>ctz(bits)));
    }
  }
}

// The line that the slot last returned lies in; 0: in the run.
let slotLine: usize = 0;

/** The first holder outside the bit sets, 0 when there is none. One walk at a time. */
export function firstSlot(run: usize): usize {
  slotLine = 0;
  return usedSlot(run, run + INLINE);
}

export function nextSlot(run: usize, slot: usize): usize {
  return usedSlot(run, slot + HOLDER_BYTES);
}

function usedSlot(run: usize, at: usize): usize {
  if (!slotLine) {
    for (; at < run + INLINE_END; at += HOLDER_BYTES) if (load<u32>(at)) return at;
    slotLine = load<u32>(run, LINE);
    at = slotLine;
  }
  while (slotLine) {
    for (; at < slotLine + LINE_HOLDERS_END; at += HOLDER_BYTES) if (load<u32>(at)) return at;
    slotLine = load<u32>(slotLine, NEXT_LINE);
    at = slotLine;
  }
  return 0;
}

/** Sets what the worker holds of the run; an empty mask removes it. Call `holdersReady` before a mask grows. */
export function setHolder(run: usize, w: u32, mask: u32, own: u32): void {
  const wide = <usize>load<u32>(run, WIDE);
  if (wide) {
    const was = wideKind(run, w);
    const is = fullKind(run, w, mask, own);
    if (was) {
      if (was == is) return;
      leaveSet(run, wide, w, was);
    }
    if (is) {
      if (!was) {
        const slot = slotOf(run, w);
        if (slot) clearSlot(run, slot);
      }
      // `leaveSet` may have given the sets back.
      if (load<u32>(run, WIDE)) {
        enterSet(wide, w, is);
        return;
      }
    }
  }
  let slot = slotOf(run, w);
  if (!mask) {
    if (slot) clearSlot(run, slot);
    return;
  }
  if (!slot) {
    slot = freeSlot(run);
    if (!slot) {
      // The eighth holder: the run becomes wide, which makes room, or takes this holder itself.
      widen(run);
      const is = fullKind(run, w, mask, own);
      if (load<u32>(run, WIDE) && is) {
        enterSet(load<u32>(run, WIDE), w, is);
        return;
      }
      slot = freeSlot(run);
      if (!slot) slot = addLine(run);
    }
    store<u32>(slot, w, 8);
  }
  store<u32>(slot, mask);
  store<u32>(slot, own, 4);
}

/** Which bit set a holder belongs in, 0 for none. */
function fullKind(run: usize, w: u32, mask: u32, own: u32): u32 {
  if (w >= stride << 1 || mask != firstBits(lengthOf(run))) return 0;
  if (!own) return 1;
  return own == mask ? 2 : 0;
}

// @ts-ignore: decorator
@inline
function setOf(wide: usize, kind: u32): usize {
  return wide + WIDE_SETS + (kind == 2 ? ownSets : 0);
}

function enterSet(wide: usize, w: u32, kind: u32): void {
  setBit(setOf(wide, kind), w);
  store<u32>(wide, load<u32>(wide) + 1);
  if (kind == 2) store<u32>(wide, load<u32>(wide, WIDE_OWN) + 1, WIDE_OWN);
}

function leaveSet(run: usize, wide: usize, w: u32, kind: u32): void {
  clearBit(setOf(wide, kind), w);
  if (kind == 2) store<u32>(wide, load<u32>(wide, WIDE_OWN) - 1, WIDE_OWN);
  const left = load<u32>(wide) - 1;
  store<u32>(wide, left);
  if (!left) {
    store<u32>(run, 0, WIDE);
    poolLeave(WIDES, wide);
  }
}

/** Makes the bit sets and moves the workers that hold the whole run into them; nothing when there are none. */
function widen(run: usize): void {
  if (load<u32>(run, WIDE)) return;
  let any = false;
  for (let slot = firstSlot(run); slot && !any; slot = nextSlot(run, slot)) {
    any = fullKind(run, load<u32>(slot, 8), load<u32>(slot), load<u32>(slot, 4)) != 0;
  }
  if (!any) return;
  const wide = poolTake(WIDES);
  memory.fill(wide, 0, wideBytes);
  store<u32>(run, wide, WIDE);
  let next: usize = 0;
  for (let slot = firstSlot(run); slot; slot = next) {
    const w = load<u32>(slot, 8);
    const kind = fullKind(run, w, load<u32>(slot), load<u32>(slot, 4));
    next = nextSlot(run, slot);
    if (kind) {
      enterSet(wide, w, kind);
      store<u32>(slot, 0);
    }
  }
  dropEmptyLines(run);
}

function freeSlot(run: usize): usize {
  for (let at = run + INLINE; at < run + INLINE_END; at += HOLDER_BYTES) if (!load<u32>(at)) return at;
  let line = <usize>load<u32>(run, LINE);
  if (!line) return addLine(run);
  for (; line; line = load<u32>(line, NEXT_LINE)) {
    for (let at = line; at < line + LINE_HOLDERS_END; at += HOLDER_BYTES) if (!load<u32>(at)) return at;
  }
  return 0;
}

/** The first slot of a new line. */
function addLine(run: usize): usize {
  const line = poolTake(LINES);
  memory.fill(line, 0, LINE_BYTES);
  store<u32>(line, load<u32>(run, LINE), NEXT_LINE);
  store<u32>(run, line, LINE);
  return line;
}

function clearSlot(run: usize, slot: usize): void {
  store<u32>(slot, 0);
  if (load<u32>(run, LINE)) dropEmptyLines(run);
}

function dropEmptyLines(run: usize): void {
  let at = run + LINE;
  for (let line = <usize>load<u32>(at); line; line = load<u32>(at)) {
    let mask: u32 = 0;
    for (let slot = line; slot < line + LINE_HOLDERS_END; slot += HOLDER_BYTES) mask |= load<u32>(slot);
    if (mask) {
      at = line + NEXT_LINE;
    } else {
      store<u32>(at, load<u32>(line, NEXT_LINE));
      poolLeave(LINES, line);
    }
  }
}

/** Removes all holders. */
export function clearHolders(run: usize): void {
  for (let at = run + INLINE; at < run + INLINE_END; at += HOLDER_BYTES) store<u32>(at, 0);
  let line = <usize>load<u32>(run, LINE);
  while (line) {
    const next = <usize>load<u32>(line, NEXT_LINE);
    poolLeave(LINES, line);
    line = next;
  }
  store<u32>(run, 0, LINE);
  const wide = <usize>load<u32>(run, WIDE);
  if (wide) poolLeave(WIDES, wide);
  store<u32>(run, 0, WIDE);
}
