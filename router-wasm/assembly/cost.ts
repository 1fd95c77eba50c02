// The kv cost of each worker for one prompt, in blocks, two workers at a time:
//
//   prefill = prefillLoadScale · ((active prefill tokens + prompt tokens) / block size − credit)
//   credit  = overlapCredit / (1 + creditDecay · excess) · overlap blocks
//             + hostCredit · host blocks + diskCredit · disk blocks + sharedMultiplier · pool blocks
//   excess  = (active prefill tokens − the minimum of all candidates) / prompt tokens
//   total   = prefill + active decode blocks + activeRequestWeight · active requests
//             + recentPrefillWeight / block size · recent prefill tokens + the host's term
//
// Dynamo clamps prefill at 0, which has no effect with its credits of at most 1. Here a credit may be larger, and a
// worker with all of a prompt must still be cheaper than one with part of it.
//
// For decode-only decisions, prefill is 0 and the credit is subtracted from the decode blocks, down to 0.
//
// The order of operations is part of the contract: the reference model uses the same order and must agree to the bit.
import { tokensPerBlock } from "./block-hash";
import { shutBusy } from "./busy";
import { take } from "./memory";
import { overlaps } from "./counts";
import { recentPrefill } from "./recent";
import { tierCredits, tiered } from "./tiers";
import { decodeBlocks, prefillTokens, requests, workerCount } from "./workers";

/** f64 per worker, from the last decision. The total of a worker that was not a candidate is +Infinity. */
export let prefillTerms: usize = 0;
export let decodeTerms: usize = 0;
export let totals: usize = 0;
/** f64 per worker: the host's terms for one decision. */
export let hostTerms: usize = 0;
/** The minimum of `totals`. */
export let leastTotal: f64 = 0;
/** Number of workers in these arrays. */
export let priced: u32 = 0;

let creditDecay: f64 = 0;
let prefillLoadScale: f64 = 1;
let activeRequestWeight: f64 = 0;
/** Weight of a token of recent prefill, in blocks. */
let recentWeight: f64 = 0;

export function initCost(maxWorkers: u32): bool {
  const bytes = (<usize>maxWorkers + 1) << 3;
  prefillTerms = take(bytes);
  decodeTerms = take(bytes);
  totals = take(bytes);
  hostTerms = take(bytes);
  return hostTerms != 0;
}

export function setWeights(decay: f64, scale: f64, requestWeight: f64): void {
  creditDecay = decay;
  prefillLoadScale = scale;
  activeRequestWeight = requestWeight;
}

export function setRecentWeight(ofBlock: f64): void {
  recentWeight = ofBlock / <f64>tokensPerBlock;
}

/** Discards the prices, because the overlaps are now those of a query. */
export function discardPrices(): void {
  priced = 0;
}

/** Prices every worker. `pinned` ≥ 0 makes that worker the only candidate; `hasTerms`: whether `hostTerms` apply. */
export function priceWorkers(
  promptTokens: f64,
  overlapCredit: f64,
  pinned: i32,
  decodeOnly: bool,
  hasTerms: bool,
): void {
  priced = workerCount;
  const gates = shutBusy(pinned);
  const end = ((<usize>workerCount + 1) & ~1) << 3;
  // For a power of two, multiplying by the reciprocal is exact, and faster than dividing.
  const exact = !(tokensPerBlock & (tokensPerBlock - 1));
  const decays = creditDecay > 0 && promptTokens > 0;
  if (exact && !decays && !tiered && !decodeOnly) {
    priceAll(true, gates, end, promptTokens, overlapCredit, 0, true, false, false);
  } else {
    const least = decays ? leastPrefill(gates, pinned) : 0;
    priceAll(false, gates, end, promptTokens, overlapCredit, least, exact, decays, decodeOnly);
  }
  if (hasTerms) addHostTerms(end);
  if (pinned >= 0) keepOnly(pinned, end);
}

/** The loop, compiled twice: once without branches, for the plain case. */
// @ts-ignore: decorator
@inline
function priceAll(
  plain: bool,
  gates: usize,
  end: usize,
  promptTokens: f64,
  overlapCredit: f64,
  least: f64,
  exact: bool,
  decays: bool,
  decodeOnly: bool,
): void {
  const prompt = f64x2.splat(promptTokens);
  const blockSize = f64x2.splat(tokensPerBlock);
  const perToken = f64x2.splat(1 / <f64>tokensPerBlock);
  const credit = f64x2.splat(overlapCredit);
  const scale = f64x2.splat(prefillLoadScale);
  const requestWeight = f64x2.splat(activeRequestWeight);
  const perRecent = f64x2.splat(recentWeight);
  const zero = f64x2.splat(0);
  // Locals stay in registers; globals do not.
  const waitings = prefillTokens;
  const held = decodeBlocks;
  const running = requests;
  const recents = recentPrefill;
  const prefills = prefillTerms;
  const decodes = decodeTerms;
  const sums = totals;
  const found = overlaps;
  let cheapest = f64x2.splat(Infinity);
  for (let i: usize = 0; i < end; i += 16) {
    const waiting = v128.load(waitings + i);
    const overlap = f64x2.convert_low_i32x4_u(v128.load64_zero(found + (i >> 1)));
    let worth = credit;
    if (!plain && decays) {
      // Workers that are not candidates may have less than the minimum, which must not cause a division by 0.
      const excess = f64x2.pmax(zero, f64x2.div(f64x2.sub(waiting, f64x2.splat(least)), prompt));
      worth = f64x2.div(credit, f64x2.add(f64x2.splat(1), f64x2.mul(f64x2.splat(creditDecay), excess)));
    }
    const tokens = f64x2.add(waiting, prompt);
    const all = plain || exact ? f64x2.mul(tokens, perToken) : f64x2.div(tokens, blockSize);
    let saved = f64x2.mul(worth, overlap);
    if (!plain && tiered) saved = f64x2.add(saved, v128.load(tierCredits + i));
    let prefill = zero;
    let decode = v128.load(held + i);
    if (!plain && decodeOnly) decode = f64x2.pmax(zero, f64x2.sub(decode, saved));
    else prefill = f64x2.mul(scale, f64x2.sub(all, saved));
    const base = f64x2.add(prefill, decode);
    const busy = f64x2.add(base, f64x2.mul(requestWeight, v128.load(running + i)));
    const cost = f64x2.add(busy, f64x2.mul(perRecent, v128.load(recents + i)));
    const total = f64x2.add(cost, v128.load(gates + i));
    v128.store(prefills + i, prefill);
    v128.store(decodes + i, decode);
    v128.store(sums + i, total);
    cheapest = f64x2.pmin(cheapest, total);
  }
  leastTotal = min(f64x2.extract_lane(cheapest, 0), f64x2.extract_lane(cheapest, 1));
}

function addHostTerms(end: usize): void {
  let cheapest = f64x2.splat(Infinity);
  for (let i: usize = 0; i < end; i += 16) {
    const total = f64x2.add(v128.load(totals + i), v128.load(hostTerms + i));
    v128.store(totals + i, total);
    cheapest = f64x2.pmin(cheapest, total);
  }
  leastTotal = min(f64x2.extract_lane(cheapest, 0), f64x2.extract_lane(cheapest, 1));
}

function keepOnly(pinned: i32, end: usize): void {
  const at = <usize>pinned << 3;
  for (let i: usize = 0; i < end; i += 8) if (i != at) store<f64>(totals + i, Infinity);
  leastTotal = at < end ? load<f64>(totals + at) : Infinity;
}

/** The minimum prefill load of all candidates. */
function leastPrefill(gates: usize, pinned: i32): f64 {
  if (pinned >= 0) return <u32>pinned < workerCount ? load<f64>(prefillTokens + (<usize>pinned << 3)) : 0;
  let least: f64 = Infinity;
  for (let i: usize = 0; i < <usize>workerCount << 3; i += 8) {
    if (load<f64>(gates + i) == 0) least = min(least, load<f64>(prefillTokens + i));
  }
  return least;
}
