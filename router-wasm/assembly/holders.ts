// The holders of each run. A slot is (mask of blocks held, mask of those held only under the holder's own engine
// hashes, number of the holder). The first two slots are in the run, further ones in 64-byte lines of five. When
// these are full, workers that hold, or are predicted to hold, the same blocks move into bit sets (wide.ts), which
// are fast to process for many workers. Holders of the whole run are in bit sets that the run refers to. Holders of
// the same leading blocks, where their prompts diverge from the run, are in a group, whose slot is (mask, sets,
// `GROUP`).
import { poolInit, poolFree, poolReady, poolTake } from "./memory";
import { firstBits, FLAGS, GROUPED, INLINE, lengthOf, LINE, WIDE } from "./run";
import {
  addTo,
  changeSets,
  eachIn,
  initSets,
  isAloneIn,
  kindFor,
  kindIn,
  releaseSets,
  newSets,
  setsBytes,
  setsReady,
  shareWithParent,
} from "./wide";

/** Marks the slot of a group, in place of a holder's number. */
export const GROUP: u32 = 0xffffffff;
/** Fewer holders than this have separate slots. */
const SMALLEST_GROUP: u32 = 3;

export const HOLDER_BYTES: usize = 12;
const INLINE_END: usize = INLINE + 2 * HOLDER_BYTES;
const LINE_BYTES: u32 = 64;
export const LINE_HOLDERS_END: usize = 60;
/** In a line: the next line. */
export const NEXT_LINE: usize = 60;

const LINES: usize = memory.data(16, 4);

/** Call `initKinds` first. */
export function initHolders(): bool {
  poolInit(LINES, LINE_BYTES, 16);
  return initSets();
}

/** Reserves the memory that the next `setHolder` may need. */
export function holdersReady(): bool {
  return poolReady(LINES, 1) && setsReady();
}

/** The slot of the worker or its group; 0 if none, although it may be in the run's bit sets. */
function slotOf(run: usize, w: u32): usize {
  for (let at = run + INLINE; at < run + INLINE_END; at += HOLDER_BYTES) if (isIn(at, w)) return at;
  for (let line = <usize>load<u32>(run, LINE); line; line = load<u32>(line, NEXT_LINE)) {
    for (let at = line; at < line + LINE_HOLDERS_END; at += HOLDER_BYTES) if (isIn(at, w)) return at;
  }
  return 0;
}

// @ts-ignore: decorator
@inline
function isIn(slot: usize, w: u32): bool {
  if (!load<u32>(slot)) return false;
  const h = load<u32>(slot, 8);
  return h == w || (h == GROUP && kindIn(load<u32>(slot, 4), w) != 0);
}

// @ts-ignore: decorator
@inline
function isGroup(slot: usize): bool {
  return load<u32>(slot, 8) == GROUP;
}

/** The blocks of this slot or group that the worker holds only under its own hashes. */
function ownIn(slot: usize, w: u32): u32 {
  if (!isGroup(slot)) return load<u32>(slot, 4);
  return kindIn(load<u32>(slot, 4), w) == 2 ? load<u32>(slot) : 0;
}

/** The kind of the run's bit set that the worker is in; 0 if none. */
// @ts-ignore: decorator
@inline
function wideKind(run: usize, w: u32): u32 {
  const wide = <usize>load<u32>(run, WIDE);
  return wide ? kindIn(wide, w) : 0;
}

/** Blocks of the run that the worker holds. */
export function heldMask(run: usize, w: u32): u32 {
  if (wideKind(run, w)) return firstBits(lengthOf(run));
  const slot = slotOf(run, w);
  return slot ? load<u32>(slot) : 0;
}

/** Blocks of the run that the worker holds only under its own hashes. */
export function ownMask(run: usize, w: u32): u32 {
  const kind = wideKind(run, w);
  if (kind) return kind == 2 ? firstBits(lengthOf(run)) : 0;
  const slot = slotOf(run, w);
  return slot ? ownIn(slot, w) : 0;
}

/** Blocks of the run with any holder. */
export function anyMask(run: usize): u32 {
  if (load<u32>(run, WIDE)) return firstBits(lengthOf(run));
  let mask = load<u32>(run, INLINE) | load<u32>(run, INLINE + HOLDER_BYTES);
  for (let line = <usize>load<u32>(run, LINE); line; line = load<u32>(line, NEXT_LINE)) {
    for (let at = line; at < line + LINE_HOLDERS_END; at += HOLDER_BYTES) mask |= load<u32>(at);
  }
  return mask;
}

/** Whether the run has no other holder than the worker. */
export function onlyHolder(run: usize, w: u32): bool {
  for (let slot = firstSlot(run); slot; slot = nextSlot(run, slot)) {
    if (isGroup(slot) ? !isAloneIn(load<u32>(slot, 4), w) : load<u32>(slot, 8) != w) return false;
  }
  const wide = <usize>load<u32>(run, WIDE);
  return !wide || isAloneIn(wide, w);
}

/** Calls `visit` with the run and the masks and number of each holder, including those in bit sets. */
export function eachHolder(run: usize, visit: (run: usize, mask: u32, own: u32, w: u32) => void): void {
  for (let slot = firstSlot(run); slot; slot = nextSlot(run, slot)) {
    if (isGroup(slot)) eachIn(load<u32>(slot, 4), run, load<u32>(slot), visit);
    else visit(run, load<u32>(slot), load<u32>(slot, 4), load<u32>(slot, 8));
  }
  const wide = <usize>load<u32>(run, WIDE);
  if (wide) eachIn(wide, run, firstBits(lengthOf(run)), visit);
}

// The line of the last returned slot; 0 if it is in the run.
let slotLine: usize = 0;

/** The first slot in use; 0 if none. Only one iteration at a time. */
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

/** Sets the blocks of the run that the worker holds; an empty mask removes it. Call `holdersReady` first. */
export function setHolder(run: usize, w: u32, mask: u32, own: u32): void {
  const kind = kindFor(w, mask, own);
  const was = wideKind(run, w);
  const is = load<u32>(run, WIDE) && mask == firstBits(lengthOf(run)) ? kind : 0;
  if (was || is) {
    if (was == is) return;
    if (!was) leaveSlot(run, slotOf(run, w), w);
    changeSets(run + WIDE, w, was, is);
    if (load<u32>(run, WIDE)) shareWithParent(run);
    if (is) return;
  } else {
    const slot = slotOf(run, w);
    if (slot && load<u32>(slot) == mask && ownIn(slot, w) == own) return;
    if (slot && mask && !isGroup(slot) && !(load<u8>(run, FLAGS) & GROUPED)) return writeSlot(slot, mask, own, w);
    leaveSlot(run, slot, w);
  }
  if (mask) addHolder(run, w, mask, own, kind);
}

/**
 * Removes blocks from a worker that has its own slot, which needs no memory. Returns those that it held; 0 if it has no
 * such slot.
 */
export function takeFromSlot(run: usize, w: u32, bits: u32): u32 {
  if (load<u32>(run, WIDE) || load<u8>(run, FLAGS) & GROUPED) return 0;
  const slot = slotOf(run, w);
  if (!slot) return 0;
  const mask = load<u32>(slot);
  store<u32>(slot, mask & ~bits);
  store<u32>(slot, load<u32>(slot, 4) & ~bits, 4);
  if (!(mask & ~bits)) dropEmptyLines(run);
  return mask & bits;
}

function writeSlot(slot: usize, mask: u32, own: u32, w: u32): void {
  store<u32>(slot, mask);
  store<u32>(slot, own, 4);
  store<u32>(slot, w, 8);
}

/** Removes the worker from its slot or group, if it has one. */
function leaveSlot(run: usize, slot: usize, w: u32): void {
  if (!slot) return;
  if (isGroup(slot)) {
    changeSets(slot + 4, w, kindIn(load<u32>(slot, 4), w), 0);
    if (load<u32>(slot, 4)) return;
    store<u32>(slot, 0);
    if (!anyGroup(run)) store<u8>(run, load<u8>(run, FLAGS) & ~GROUPED, FLAGS);
  }
  store<u32>(slot, 0);
  dropEmptyLines(run);
}

function anyGroup(run: usize): bool {
  for (let slot = firstSlot(run); slot; slot = nextSlot(run, slot)) if (isGroup(slot)) return true;
  return false;
}

/** Adds a new holder that does not belong in the run's existing bit sets. */
function addHolder(run: usize, w: u32, mask: u32, own: u32, kind: u32): void {
  const group = kind && load<u8>(run, FLAGS) & GROUPED ? groupOf(run, mask) : 0;
  if (group) return changeSets(group + 4, w, 0, kind);
  let slot = freeSlot(run);
  if (!slot) {
    const full = firstBits(lengthOf(run));
    if (!load<u32>(run, WIDE) && widen(run, w, mask == full ? kind : 0)) return;
    if (kind && mask != full && makeGroup(run, w, mask, kind)) return;
    slot = freeSlot(run);
    if (!slot) slot = addLine(run);
  }
  writeSlot(slot, mask, own, w);
}

/** The slot of the group with this mask; 0 if none. */
function groupOf(run: usize, mask: u32): usize {
  for (let slot = firstSlot(run); slot; slot = nextSlot(run, slot)) {
    if (isGroup(slot) && load<u32>(slot) == mask) return slot;
  }
  return 0;
}

/**
 * Creates the run's bit sets from the holders of all of it, if there are any, plus worker `w` if `kind` is not 0.
 * Returns whether that worker is in them.
 */
function widen(run: usize, w: u32, kind: u32): bool {
  const sets = gather(run, firstBits(lengthOf(run)), 1);
  if (!sets) return false;
  if (kind) addTo(sets, w, kind);
  store<u32>(run, <u32>sets, WIDE);
  shareWithParent(run);
  return kind != 0;
}

/** Creates a group of a new holder and those with the same mask; false if there are too few. */
function makeGroup(run: usize, w: u32, mask: u32, kind: u32): bool {
  const sets = gather(run, mask, SMALLEST_GROUP - 1);
  if (!sets) return false;
  addTo(sets, w, kind);
  const slot = freeSlot(run);
  writeSlot(slot ? slot : addLine(run), mask, <u32>sets, GROUP);
  store<u8>(run, load<u8>(run, FLAGS) | GROUPED, FLAGS);
  return true;
}

/** Moves holders with this mask from their slots into new sets; 0 if there are fewer than `least`. */
function gather(run: usize, mask: u32, least: u32): usize {
  let found: u32 = 0;
  for (let slot = firstSlot(run); slot; slot = nextSlot(run, slot)) if (kindOf(slot, mask)) found++;
  if (found < least) return 0;
  const sets = newSets();
  let next: usize = 0;
  for (let slot = firstSlot(run); slot; slot = next) {
    next = nextSlot(run, slot);
    const kind = kindOf(slot, mask);
    if (!kind) continue;
    addTo(sets, load<u32>(slot, 8), kind);
    store<u32>(slot, 0);
  }
  dropEmptyLines(run);
  return sets;
}

/** The kind of the set for this mask that the slot's holder belongs in; 0 if none. */
function kindOf(slot: usize, mask: u32): u32 {
  return load<u32>(slot) == mask ? kindFor(load<u32>(slot, 8), mask, load<u32>(slot, 4)) : 0;
}

/** A free slot; 0 if all are in use and their holders might share bit sets instead. */
function freeSlot(run: usize): usize {
  for (let at = run + INLINE; at < run + INLINE_END; at += HOLDER_BYTES) if (!load<u32>(at)) return at;
  let line = <usize>load<u32>(run, LINE);
  // Sets no larger than a line are used instead of one.
  if (!line && setsBytes > LINE_BYTES) return addLine(run);
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

function dropEmptyLines(run: usize): void {
  let at = run + LINE;
  for (let line = <usize>load<u32>(at); line; line = load<u32>(at)) {
    let mask: u32 = 0;
    for (let slot = line; slot < line + LINE_HOLDERS_END; slot += HOLDER_BYTES) mask |= load<u32>(slot);
    if (mask) {
      at = line + NEXT_LINE;
    } else {
      store<u32>(at, load<u32>(line, NEXT_LINE));
      poolFree(LINES, line);
    }
  }
}

/** Removes all holders. */
export function clearHolders(run: usize): void {
  for (let slot = firstSlot(run); slot; slot = nextSlot(run, slot)) {
    if (isGroup(slot)) releaseSets(load<u32>(slot, 4));
    store<u32>(slot, 0);
  }
  dropEmptyLines(run);
  const wide = <usize>load<u32>(run, WIDE);
  if (wide) releaseSets(wide);
  store<u32>(run, 0, WIDE);
  store<u8>(run, load<u8>(run, FLAGS) & ~GROUPED, FLAGS);
}
