// The policies: which candidate is chosen. A candidate is a worker with a finite total. Ties are broken by the fewest
// active requests, then the fewest stored blocks, then the request's random number.
import { tokensPerBlock } from "./block-hash";
import { leastTotal, priced, totals } from "./cost";
import { take } from "./memory";
import { decodeBlocks, prefillTokens, ranks, requests } from "./workers";

export const KV: u32 = 0;
export const ROUND_ROBIN: u32 = 1;
export const RANDOM: u32 = 2;
export const LEAST_LOADED: u32 = 3;
export const POWER_OF_TWO: u32 = 4;

/** u32: the candidates, or those that remain. */
let chosen: usize = 0;
/** f64: softmax weights. */
let weights: usize = 0;
/** The next worker for round robin, and for decisions that are decode-only: those have candidates of their own. */
let turn: u32 = 0;
let decodeTurn: u32 = 0;

export function initSelect(maxWorkers: u32): bool {
  chosen = take(<usize>maxWorkers << 2);
  weights = take(<usize>maxWorkers << 3);
  return weights != 0;
}

/** The chosen worker; −1 if there is no candidate. @param pinned whether there is only one, which then takes no turn */
export function select(policy: u32, temperature: f64, random: f64, decodeOnly: bool, pinned: bool): i32 {
  if (policy == KV && temperature <= 0) return cheapest(random);
  const candidates = listCandidates();
  if (!candidates) return -1;
  if (policy == KV) return sample(candidates, temperature, random);
  if (policy == ROUND_ROBIN) return pinned ? candidate(0) : nextInTurn(candidates, decodeOnly);
  if (policy == RANDOM) return candidate(<u32>(random * <f64>candidates));
  if (policy == LEAST_LOADED) return leastLoaded(candidates, random);
  return lessLoadedOfTwo(candidates, random);
}

// @ts-ignore: decorator
@inline
function candidate(i: u32): u32 {
  return load<u32>(chosen + (i << 2));
}

// @ts-ignore: decorator
@inline
function total(w: u32): f64 {
  return load<f64>(totals + (w << 3));
}

function listCandidates(): u32 {
  let candidates: u32 = 0;
  for (let w: u32 = 0; w < priced; w++) {
    if (total(w) < Infinity) store<u32>(chosen + (candidates++ << 2), w);
  }
  return candidates;
}

/** The candidate with the lowest total. */
function cheapest(random: f64): i32 {
  if (leastTotal == Infinity) return -1;
  const end = ((<usize>priced + 1) & ~1) << 3;
  const wanted = f64x2.splat(leastTotal);
  const none = f64x2.splat(Infinity);
  let least = none;
  for (let i: usize = 0; i < end; i += 16) {
    const equal = f64x2.eq(v128.load(totals + i), wanted);
    least = f64x2.pmin(least, v128.bitselect(v128.load(ranks + i), none, equal));
  }
  const rank = f64x2.splat(min(f64x2.extract_lane(least, 0), f64x2.extract_lane(least, 1)));
  let left: u32 = 0;
  for (let i: usize = 0; i < end; i += 16) {
    const equal = v128.and(f64x2.eq(v128.load(totals + i), wanted), f64x2.eq(v128.load(ranks + i), rank));
    if (!v128.any_true(equal)) continue;
    const w = <u32>(i >> 3);
    if (i64x2.extract_lane(equal, 0)) store<u32>(chosen + (left++ << 2), w);
    if (i64x2.extract_lane(equal, 1)) store<u32>(chosen + (left++ << 2), w + 1);
  }
  return candidate(<u32>(random * <f64>left));
}

/** Breaks a tie between the first `equal` workers in `chosen`. */
function breakTie(equal: u32, random: f64): u32 {
  let least: f64 = Infinity;
  let left: u32 = 0;
  for (let i: u32 = 0; i < equal; i++) {
    const w = candidate(i);
    const rank = load<f64>(ranks + (w << 3));
    if (rank < least) {
      least = rank;
      left = 0;
    }
    if (rank == least) store<u32>(chosen + (left++ << 2), w);
  }
  return candidate(<u32>(random * <f64>left));
}

/** Samples by the softmax of −total / ((max − min) · temperature); uniform if all totals are equal. */
function sample(candidates: u32, temperature: f64, random: f64): u32 {
  let low: f64 = Infinity;
  let high: f64 = -Infinity;
  for (let i: u32 = 0; i < candidates; i++) {
    low = min(low, total(candidate(i)));
    high = max(high, total(candidate(i)));
  }
  const range = (high - low) * temperature;
  let sum: f64 = 0;
  for (let i: u32 = 0; i < candidates; i++) {
    const weight = range > 0 ? Math.exp((low - total(candidate(i))) / range) : 1;
    store<f64>(weights + (i << 3), weight);
    sum += weight;
  }
  let left = random * sum;
  for (let i: u32 = 0; i < candidates; i++) {
    left -= load<f64>(weights + (i << 3));
    if (left < 0) return candidate(i);
  }
  return candidate(candidates - 1);
}

function nextInTurn(candidates: u32, decodeOnly: bool): u32 {
  const next = decodeOnly ? decodeTurn : turn;
  let w = candidate(0);
  for (let i: u32 = 0; i < candidates; i++) {
    if (candidate(i) >= next) {
      w = candidate(i);
      break;
    }
  }
  if (decodeOnly) decodeTurn = w + 1;
  else turn = w + 1;
  return w;
}

/** The worker's load in blocks. */
function loadOf(w: u32): f64 {
  return load<f64>(decodeBlocks + (w << 3)) + load<f64>(prefillTokens + (w << 3)) / <f64>tokensPerBlock;
}

function leastLoaded(candidates: u32, random: f64): u32 {
  let least: f64 = Infinity;
  let equal: u32 = 0;
  for (let i: u32 = 0; i < candidates; i++) {
    const w = candidate(i);
    const load = loadOf(w);
    if (load < least) {
      least = load;
      equal = 0;
    }
    if (load == least) store<u32>(chosen + (equal++ << 2), w);
  }
  return breakTie(equal, random);
}

/** The less loaded of two random candidates; in a tie, the one with fewer requests, then the first drawn. */
function lessLoadedOfTwo(candidates: u32, random: f64): u32 {
  if (candidates == 1) return candidate(0);
  const scaled = random * <f64>candidates;
  const first = <u32>scaled;
  let second = <u32>((scaled - <f64>first) * <f64>(candidates - 1));
  if (second >= first) second++;
  const a = candidate(first);
  const b = candidate(second);
  const loadA = loadOf(a);
  const loadB = loadOf(b);
  if (loadB < loadA) return b;
  if (loadB == loadA && load<f64>(requests + (b << 3)) < load<f64>(requests + (a << 3))) return b;
  return a;
}
