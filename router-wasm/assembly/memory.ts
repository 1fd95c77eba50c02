// Linear memory is allocated in pieces that never move and are never freed; pools of equal items reuse theirs.
// There is no other allocator: no garbage collector, no runtime.

const PAGE: u64 = 65536;
/** The last page stays unused, so that an end address fits in 32 bits. */
const MAX_PAGES: i32 = 65535;

/** Pages that the index leaves free for long prompts: a quarter of all, at most 4 MiB. */
const MAX_KEPT_PAGES: i32 = 64;

/** Maximum number of pages. */
let maxPages: i32 = MAX_PAGES;

let top: usize = (__heap_base + 63) & ~63;

/** The old area of a buffer that has grown, reused for pieces that need not be zeroed. */
let spare: usize = 0;
let spareEnd: usize = 0;

/** Sets the memory limit in bytes. */
export function limitMemory(most: f64): void {
  maxPages = <i32>min(<f64>MAX_PAGES, most / <f64>PAGE);
}

/** Bytes allocated so far. */
export function takenBytes(): f64 {
  return <f64>top;
}

/** Bytes that `take` can still allocate. */
export function freeBytes(): f64 {
  return max(<f64>pagesForIndex() * <f64>PAGE - <f64>top, 0);
}

function pagesForIndex(): i32 {
  return maxPages - min(MAX_KEPT_PAGES, maxPages >> 2);
}

/** Allocates zeroed bytes at a multiple of 64; 0 if there is no more memory. */
export function take(bytes: usize): usize {
  return takeUpTo(bytes, pagesForIndex());
}

/** The same, including the memory reserved for prompts. */
export function takeForPrompt(bytes: usize): usize {
  return takeUpTo(bytes, maxPages);
}

function takeUpTo(bytes: usize, pages: i32): usize {
  const size = (bytes + 63) & ~63;
  const wanted = <u64>top + <u64>size;
  const have = <u64>memory.size() * PAGE;
  if (wanted > have) {
    const missing = <i32>((wanted - have + PAGE - 1) / PAGE);
    if (missing + memory.size() > pages) return 0;
    // Grows ahead, so that JavaScript rarely has to recreate its views.
    const ahead = min(max(missing, memory.size() >> 4), pages - memory.size());
    if (memory.grow(ahead) < 0 && memory.grow(missing) < 0) return 0;
  }
  const piece = top;
  top = <usize>wanted;
  return piece;
}

/** Like `take`, but not zeroed. */
export function takeDirty(bytes: usize): usize {
  const size = (bytes + 63) & ~63;
  if (spare + size <= spareEnd) {
    const piece = spare;
    spare += size;
    return piece;
  }
  return take(bytes);
}

/** Makes an unused piece available for reuse. */
export function recycle(piece: usize, bytes: usize): void {
  if (bytes > spareEnd - spare) {
    spare = piece;
    spareEnd = piece + bytes;
  }
}

// A pool is 16 bytes: the first free item, the item size, how many items to allocate at a time, the number of free
// items. The first four bytes of a free item link to the next one.

export function poolInit(pool: usize, itemBytes: u32, itemsAtATime: u32): void {
  store<u32>(pool, 0, 0);
  store<u32>(pool, itemBytes, 4);
  store<u32>(pool, itemsAtATime, 8);
  store<u32>(pool, 0, 12);
}

/** Reserves items for the next calls of `poolTake`; false if memory has run out. */
export function poolReady(pool: usize, items: u32): bool {
  while (load<u32>(pool, 12) < items) if (!refill(pool)) return false;
  return true;
}

function refill(pool: usize): bool {
  const itemBytes = load<u32>(pool, 4);
  const items = load<u32>(pool, 8);
  let item = takeDirty(itemBytes * items);
  if (!item) return false;
  for (let i: u32 = 0; i < items; i++, item += itemBytes) poolFree(pool, item);
  return true;
}

/** Takes an item, which is not zeroed. Call `poolReady` first. */
export function poolTake(pool: usize): usize {
  if (!load<u32>(pool, 12)) refill(pool);
  const item = <usize>load<u32>(pool, 0);
  store<u32>(pool, load<u32>(item), 0);
  store<u32>(pool, load<u32>(pool, 12) - 1, 12);
  return item;
}

export function poolFree(pool: usize, item: usize): void {
  store<u32>(item, load<u32>(pool, 0));
  store<u32>(pool, <u32>item, 0);
  store<u32>(pool, load<u32>(pool, 12) + 1, 12);
}
