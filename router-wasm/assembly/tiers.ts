// Blocks that a worker can fetch instead of computing: after the prefix on its device, the blocks that follow without a
// gap in host memory, then on disk; and, also after the prefix on its device, those in the pool.
import { heldMask } from "./holders";
import { DISK, held, heldByKind, holderOf, HOST, POOL } from "./kinds";
import { recycle, take, takeForPrompt } from "./memory";
import { overlaps } from "./counts";
import { workerCount } from "./workers";

/** u32 per worker: blocks of the prompt, 0 unless `tiered`. */
export let hostOverlaps: usize = 0;
export let diskOverlaps: usize = 0;
export let poolOverlaps: usize = 0;
/** f64 per worker: the credit for these blocks; only valid if `tiered`. */
export let tierCredits: usize = 0;
/** Whether any blocks are held outside of devices, so that the walk must record its path. */
export let tiered: bool = false;

let hostCredit: f64 = 0;
let diskCredit: f64 = 0;
let poolCredit: f64 = 0;

/** The runs along the prompt, each with the number of the prompt's next block: u32, u32. */
let path: usize = 0;
let capacity: u32 = 0;
let steps: u32 = 0;
/** Number of workers whose overlaps have been written. */
let extended: u32 = 0;

export function initTiers(maxWorkers: u32): bool {
  const even = (<usize>maxWorkers + 1) & ~1;
  hostOverlaps = take(even << 2);
  diskOverlaps = take(even << 2);
  poolOverlaps = take(even << 2);
  tierCredits = take(even << 3);
  return tierCredits != 0;
}

export function setTierCredits(host: f64, disk: f64, pool: f64): void {
  hostCredit = host;
  diskCredit = disk;
  poolCredit = pool;
}

/** Prepares for the walk for a prompt of this many blocks. */
export function beginPath(blocks: u32): void {
  const was = tiered;
  tiered = heldByKind(HOST) + heldByKind(DISK) + heldByKind(POOL) > 0 && roomForPath(blocks);
  steps = 0;
  if (was && !tiered) clear();
  if (!tiered) extended = 0;
}

function clear(): void {
  for (let w: usize = 0; w < extended; w++) setOverlaps(w, 0, 0, 0);
}

function roomForPath(blocks: u32): bool {
  if (blocks <= capacity) return true;
  const wanted = max(blocks, 512) << 1;
  const piece = takeForPrompt(<usize>wanted << 3);
  if (!piece) return false;
  if (capacity) recycle(path, <usize>capacity << 3);
  path = piece;
  capacity = wanted;
  return true;
}

/** Records that the prompt follows the run up to the prompt's block `end`. */
export function notePath(run: usize, end: u32): void {
  const at = path + (<usize>steps << 3);
  store<u32>(at, <u32>run);
  store<u32>(at, end, 4);
  steps++;
}

/** After the walk, computes every worker's overlaps in the tiers, following those on its device. */
export function extendOverlaps(): void {
  extended = max(extended, workerCount);
  const poolHolds = heldByKind(POOL) > 0;
  for (let w: u32 = 0; w < workerCount; w++) {
    const device = load<u32>(overlaps + (<usize>w << 2));
    const host = extend(holderOf(HOST, w), device);
    const disk = extend(holderOf(DISK, w), device + host);
    const pool = poolHolds ? extend(holderOf(POOL, w), device) : 0;
    setOverlaps(w, host, disk, pool);
  }
}

function setOverlaps(w: usize, host: u32, disk: u32, pool: u32): void {
  store<u32>(hostOverlaps + (w << 2), host);
  store<u32>(diskOverlaps + (w << 2), disk);
  store<u32>(poolOverlaps + (w << 2), pool);
  const credit = hostCredit * <f64>host + diskCredit * <f64>disk + poolCredit * <f64>pool;
  store<f64>(tierCredits + (w << 3), credit);
}

/** How many blocks of the prompt, starting at `from`, the holder has without a gap. */
function extend(h: u32, from: u32): u32 {
  if (!held(h)) return 0;
  let at = from;
  for (let i = stepAt(from); i < steps; i++) {
    const step = path + (<usize>i << 3);
    const start = i ? load<u32>(step - 4) : 0;
    const end = load<u32>(step, 4);
    const mask = heldMask(load<u32>(step), h) >> (at - start);
    at = min(at + <u32>ctz(~mask), end);
    if (at < end) break;
  }
  return at - from;
}

/** The step of the path that contains the prompt's block; `steps` if the path ends before it. */
function stepAt(block: u32): u32 {
  let low: u32 = 0;
  let high = steps;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<u32>(path + (<usize>middle << 3), 4) > block) high = middle;
    else low = middle + 1;
  }
  return low;
}
