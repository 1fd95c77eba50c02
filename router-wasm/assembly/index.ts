// The core's exports. They take and return only numbers; larger arguments are in fixed areas of linear memory, whose
// addresses the host reads once. The result of a decision is in RESULT.
import { initAliases } from "./aliases";
import {
  hashBlocks,
  initBlockHash,
  maskHashes,
  saltBlock,
  tokensPerBlock,
  useHashKey,
  useSeed,
} from "./block-hash";
import { addUnbooked, book, dropPrefill, growDecode, initBookings, unbook, untouchedBookingBytes } from "./bookings";
import { busyWorkers, initBusy, limitLoad } from "./busy";
import { initChildren } from "./children";
import { initCounts, overlaps, predictedOverlap } from "./counts";
import {
  decodeTerms,
  discardPrices,
  hostTerms,
  initCost,
  priced,
  prefillTerms,
  priceWorkers,
  setRecentWeight,
  setWeights,
  totals,
} from "./cost";
import { initDigest } from "./digest";
import { initEngineTable } from "./engine-table";
import { beginStored, endStored, localBefore, removeBlocks, storeBlocks, storeNamed } from "./events";
import { initHolders } from "./holders";
import { forgetHolder, forgetWorker, initHolding } from "./holding";
import { held, holderOf, initKinds, POOL } from "./kinds";
import { beginMedia, reserveMedia } from "./media";
import { freeBytes, limitMemory, take, takenBytes } from "./memory";
import { findOverlaps, initOverlap, longestOverlap } from "./overlap";
import { applyPayload, payloadEvents, payloadRank, payloadStored, readPayload, reservePayload } from "./payload";
import {
  copiedPredictions,
  copyPredictions,
  initPredictions,
  passTime,
  predict,
  setPredictions,
} from "./predictions";
import {
  beginHashed,
  beginPrompt,
  isPromptKept,
  invalidatePrompt,
  promptBlocks,
  promptHashes,
  promptTokens,
  reserveHashes,
  reservePrompt,
} from "./prompt";
import { addRecent, forgetRecent, initRecent, keepRecent, passRecent, recentPrefill } from "./recent";
import { endRestore, restoreAge, restoreAlias, restoreHolder, restoreRun } from "./restore";
import { RUN_BYTES, untouchedRunBytes } from "./run";
import { initSelect, select } from "./select";
import {
  beginSnapshot,
  copiedRuns,
  endSnapshot,
  continueSnapshot,
  snapshotBytes,
  snapshotOut,
  takeSnapshot,
} from "./snapshot";
import { count, DECISIONS, STATS } from "./stats";
import { diskOverlaps, hostOverlaps, initTiers, poolOverlaps, setTierCredits } from "./tiers";
import {
  decodeBlocks,
  allocateWorker,
  initWorkers,
  freeWorker,
  prefillTokens,
  presentWorkers,
  requests,
  reopenExcluded,
  setGate,
  excludeOnce,
  workerExists,
} from "./workers";
import { xxh3 } from "./xxh3";

const EVENT_HASHES: u32 = 1024;
const EVENT_TOKENS_BYTES: u32 = 65536;

/** f64: overlap blocks, cost, booking, busy workers, blocks in host memory, on disk, in the pool, only predicted. */
const RESULT: usize = memory.data(64, 8);

let eventHashes: usize = 0;
let eventTokens: usize = 0;
let eventLocals: usize = 0;

/** Sets the memory limit. */
export function setMemoryLimit(bytes: f64): void {
  limitMemory(bytes);
}

/** False if there is not enough memory. */
export function init(blockSize: u32, maxWorkers: u32, maxBlocks: u32, expectedBlocks: u32, maxBookings: u32): bool {
  initBlockHash(blockSize);
  initAliases();
  if (!initKinds(maxWorkers)) return false;
  initDigest();
  return (
    initHolders() &&
    initWorkers(maxWorkers) &&
    initBusy(maxWorkers) &&
    initCounts() &&
    initOverlap() &&
    initTiers(maxWorkers) &&
    initPredictions(maxWorkers) &&
    initRecent(maxWorkers) &&
    initCost(maxWorkers) &&
    initSelect(maxWorkers) &&
    initBookings(maxBookings) &&
    initChildren(maxBlocks) &&
    initEngineTable(maxBlocks, expectedBlocks) &&
    eventArea() != 0 &&
    initHolding(maxBlocks, runLimit(maxBlocks))
  );
}

/** Maximum number of runs: one per 8 blocks, but no more than fit in five eighths of the memory. */
function runLimit(maxBlocks: u32): u32 {
  return max(<u32>min(<f64>(maxBlocks >> 3), (freeBytes() * 5) / 8 / <f64>RUN_BYTES), 1);
}

/** Where to write events; 0 if there is not enough memory. Also used by `hashBytes`, before `init`. */
export function eventArea(): usize {
  if (!eventHashes) {
    const area = take(EVENT_HASHES * 16 + EVENT_TOKENS_BYTES);
    if (!area) return 0;
    eventHashes = area;
    eventLocals = area + EVENT_HASHES * 8;
    eventTokens = area + EVENT_HASHES * 16;
  }
  return eventHashes;
}

export function eventLocalsArea(): usize {
  return eventLocals;
}

/** Maximum blocks per call of `storeMore` or `removeStored`. */
export function eventBlocks(): u32 {
  return min(EVENT_HASHES, EVENT_TOKENS_BYTES / (tokensPerBlock << 2));
}

export function eventTokensArea(): usize {
  return eventTokens;
}

/** XXH3-64 of the first `length` bytes of the event tokens, into RESULT. */
export function hashBytes(length: u32, seedLow: u32, seedHigh: u32): void {
  store<u64>(RESULT, xxh3(eventTokens, length, (<u64>seedHigh << 32) | seedLow));
}

export function resultArea(): usize {
  return RESULT;
}

export function statsArea(): usize {
  return STATS;
}

/** Bytes allocated. Preallocated runs and bookings count only once they have been used. */
export function memoryBytes(): f64 {
  return takenBytes() - untouchedRunBytes() - untouchedBookingBytes();
}

export function workers(): u32 {
  return presentWorkers;
}

// Arrays by worker.

export function prefillTokensArea(): usize {
  return prefillTokens;
}

export function decodeBlocksArea(): usize {
  return decodeBlocks;
}

export function requestsArea(): usize {
  return requests;
}

/** Blocks of one of the worker's holders; the kinds are those in `kinds.ts`. */
export function heldBlocksOf(kind: u32, w: u32): f64 {
  return held(holderOf(kind, w));
}

// Arrays by worker from the last decision (or query, for overlaps), and the number of workers in them.

export function pricedWorkers(): u32 {
  return priced;
}

export function overlapsArea(): usize {
  return overlaps;
}

export function hostOverlapsArea(): usize {
  return hostOverlaps;
}

export function diskOverlapsArea(): usize {
  return diskOverlaps;
}

export function poolOverlapsArea(): usize {
  return poolOverlaps;
}

export function prefillTermsArea(): usize {
  return prefillTerms;
}

export function decodeTermsArea(): usize {
  return decodeTerms;
}

/** Where to write the host's terms, one f64 per worker, for a decision with `hasTerms`. */
export function hostTermsArea(): usize {
  return hostTerms;
}

export function totalsArea(): usize {
  return totals;
}

export function addWorker(): i32 {
  return allocateWorker();
}

export function hasWorker(w: u32): bool {
  return workerExists(w);
}

export function removeWorker(w: u32): void {
  forgetWorker(w);
  setPredictions(w, 0, 0);
  limitLoad(w, Infinity, Infinity);
  forgetRecent(w);
  freeWorker(w);
}

export function clearWorker(w: u32): void {
  forgetWorker(w);
}

export function setEligible(w: u32, eligible: bool): void {
  setGate(w, eligible);
}

/** At or over a limit, the worker is not a candidate; +Infinity for no limit. */
export function limitWorker(w: u32, prefillTokens: f64, decodeBlocks: f64): void {
  limitLoad(w, prefillTokens, decodeBlocks);
}

/** Sets the salt of all blocks of subsequent events and prompts. */
export function useSalt(low: u32, high: u32): void {
  invalidatePrompt();
  useSeed((<u64>high << 32) | low);
}

/** Sets another salt for one block of subsequent events and prompts, until the next `useSalt`. */
export function useBlockSalt(block: u32, low: u32, high: u32): void {
  invalidatePrompt();
  saltBlock(block, (<u64>high << 32) | low);
}

/** Where to write the media of part of an event or of a prompt; 0 if there is not enough memory. */
export function mediaArea(bytes: u32): usize {
  invalidatePrompt();
  return reserveMedia(bytes, <usize>tokensPerBlock << 2);
}

/** Sets the key of all local hashes: 16 bytes, little-endian. */
export function useKey(k0: u32, k1: u32, k2: u32, k3: u32): void {
  invalidatePrompt();
  useHashKey((<u64>k1 << 32) | k0, (<u64>k3 << 32) | k2);
}

/** Hashes the event tokens after a block with this local hash (0 for none) into `eventLocalsArea`. */
export function hashEvent(blocks: u32, media: bool, beforeLow: u32, beforeHigh: u32): void {
  invalidatePrompt();
  beginMedia(media);
  hashBlocks(eventTokens, blocks, eventLocals, 0, (<u64>beforeHigh << 32) | beforeLow);
}

/** Replaces the event hashes by their keyed hashes. */
export function maskEvent(blocks: u32): void {
  maskHashes(eventHashes, blocks);
}

/** The parent's hash is the first in the event hashes. */
export function storeBegin(kind: u32, w: u32, hasParent: bool): bool {
  return beginStored(holderOf(kind, w), w, hasParent, load<u64>(eventHashes));
}

export function storeMore(kind: u32, w: u32, blocks: u32, media: bool): u32 {
  invalidatePrompt();
  beginMedia(media);
  hashBlocks(eventTokens, blocks, eventLocals, 0, localBefore());
  return storeBlocks(holderOf(kind, w), eventHashes, eventLocals, blocks);
}

/** The same with local hashes that the host has written to `eventLocalsArea`. */
export function storeMoreHashed(kind: u32, w: u32, blocks: u32): u32 {
  return storeBlocks(holderOf(kind, w), eventHashes, eventLocals, blocks);
}

/** Stores copies of blocks that the worker or the pool has under these hashes. Returns how many. */
export function storeCopies(kind: u32, w: u32, blocks: u32): u32 {
  return storeNamed(holderOf(kind, w), w, eventHashes, blocks);
}

/** Ends an event. @param refused how many blocks could not be stored */
export function storeEnd(refused: u32): void {
  endStored(refused);
}

export function removeStored(kind: u32, w: u32, blocks: u32): u32 {
  return removeBlocks(holderOf(kind, w), eventHashes, blocks);
}

/** Where to write a batch of events in vLLM's wire format; 0 if there is not enough memory. */
export function payloadArea(bytes: u32): usize {
  return reservePayload(bytes);
}

/** Reads a batch. Returns the number of relevant events; −1 if it is unusual and must not be applied. */
export function readBatch(bytes: u32): i32 {
  if (!readPayload(bytes)) return -1;
  store<f64>(RESULT, payloadRank);
  store<f64>(RESULT, payloadStored, 8);
  return payloadEvents;
}

/** Applies the batch that was read. Returns how many blocks were stored or removed. */
export function applyBatch(w: u32): u32 {
  return applyPayload(w, eventLocals, EVENT_HASHES);
}

// A snapshot: begin it, then call `snapshotNext` and take the bytes until there are no more.

export function snapshotBegin(): void {
  beginSnapshot();
}

/** Copies about this many bytes of runs. Returns the bytes in `snapshotArea`; −1 if memory has run out. */
export function snapshotNext(bytes: u32): f64 {
  return continueSnapshot(bytes) ? snapshotBytes : -1;
}

export function snapshotArea(): usize {
  return snapshotOut;
}

export function snapshotTaken(): void {
  takeSnapshot();
}

/** Number of runs copied so far. */
export function snapshotRuns(): u32 {
  return copiedRuns;
}

export function snapshotEnd(): void {
  endSnapshot();
}

/** Restores a run, with local hashes in `eventLocalsArea` and engine hashes in `eventArea`; 0 if impossible. */
export function restoreOne(parent: u32, length: u32, severalHashes: bool, shared: u32): usize {
  return restoreRun(parent, length, severalHashes, shared, eventLocals, eventHashes);
}

export function restoreHeld(run: usize, holder: u32, mask: u32, own: u32): bool {
  return restoreHolder(run, holder, mask, own);
}

/** The hash is the first in the event hashes. */
export function restoreName(run: usize, holder: u32, place: u32): bool {
  return restoreAlias(run, holder, place, load<u64>(eventHashes));
}

export function restoreOrder(run: usize): void {
  restoreAge(run);
}

export function restoreEnd(): void {
  endRestore();
}

/** XXH3-64 of this many bytes at an address, into RESULT. */
export function checksum(from: usize, bytes: u32): void {
  store<u64>(RESULT, xxh3(from, bytes, 0));
}

/** Removes everything from the pool. */
export function clearPool(): void {
  forgetHolder(holderOf(POOL, 0));
}

/** Sets how many ticks predictions for the worker last (0 for no predictions), and their capacity in blocks. */
export function setPrediction(w: u32, ticks: u32, capacity: f64): void {
  setPredictions(w, ticks, capacity);
}

/** Sets the current tick. */
export function setTime(tick: u32): void {
  passTime(tick);
  passRecent(tick);
}

/** Predicts that the worker will hold the prompt of the last decision. Returns the blocks; −1 if the prompt is gone. */
export function predictPrompt(w: u32): i32 {
  if (!isPromptKept) return -1;
  return predict(w, promptHashes(promptBlocks), promptBlocks);
}

/**
 * Predicts that the worker will hold blocks with the local hashes that the host has written to `hashesArea`, for at
 * most this many ticks. Returns the blocks; −1 if their hashes were not reserved.
 */
export function predictHashed(w: u32, blocks: u32, ticks: u32): i32 {
  invalidatePrompt();
  return beginHashed(blocks) ? predict(w, promptHashes(blocks), blocks, ticks) : -1;
}

/** Copies the worker's newest predictions, of at most this many blocks, to `predictionsCopy`. Returns the bytes. */
export function copyPredicted(w: u32, most: u32): u32 {
  return copyPredictions(w, most);
}

export function predictionsCopy(): usize {
  return copiedPredictions;
}

/** Where to write a prompt of this length; 0 if there is not enough memory. */
export function promptArea(tokens: u32): usize {
  return reservePrompt(tokens) ? promptTokens : 0;
}

/** Where to write the local hashes of a query; 0 if there is not enough memory. */
export function hashesArea(blocks: u32): usize {
  return reserveHashes(blocks);
}

/** Hashes the whole prompt into `hashesArea`. Returns its number of blocks; −1 if it was not reserved. */
export function hashPrompt(tokens: u32, media: bool): i32 {
  if (!beginPrompt(tokens)) return -1;
  beginMedia(media);
  promptHashes(promptBlocks);
  return promptBlocks;
}

/** Finds overlaps for the first `blocks` hashes. Returns the longest; −1 if they were not reserved. */
export function find(blocks: u32): i32 {
  if (!beginHashed(blocks)) return -1;
  findOverlaps();
  discardPrices();
  return longestOverlap;
}

export function configure(creditDecay: f64, prefillLoadScale: f64, activeRequestWeight: f64): void {
  setWeights(creditDecay, prefillLoadScale, activeRequestWeight);
}

/** Sets the weight of a block of recent prefill, and the share of it that remains after a tick. */
export function configureRecent(weight: f64, kept: f64): void {
  setRecentWeight(weight);
  keepRecent(kept);
}

/** Sets the credit of a block in host memory, on disk and in the pool. */
export function configureTiers(host: f64, disk: f64, pool: f64): void {
  setTierCredits(host, disk, pool);
}

/** Excludes the worker from the next decision. */
export function exclude(w: u32): void {
  excludeOnce(w);
}

/** Makes a decision. Returns the worker; −1 if none is eligible, −2 if the prompt was not reserved. */
export function decide(
  tokens: u32,
  policy: u32,
  pinned: i32,
  overlapCredit: f64,
  temperature: f64,
  random: f64,
  expectedOutputTokens: f64,
  media: bool,
  books: bool,
  decodeOnly: bool,
  hasTerms: bool,
): i32 {
  if (!beginPrompt(tokens)) {
    reopenExcluded();
    return -2;
  }
  beginMedia(media);
  findOverlaps();
  priceWorkers(tokens, overlapCredit, pinned, decodeOnly, hasTerms);
  reopenExcluded();
  count(DECISIONS);
  const w = select(policy, temperature, random, decodeOnly, pinned >= 0);
  store<f64>(RESULT, busyWorkers, 24);
  if (w < 0) {
    store<f64>(RESULT, 0);
    store<f64>(RESULT, 0, 8);
    store<f64>(RESULT, -1, 16);
    for (let i: usize = 32; i < 64; i += 8) store<f64>(RESULT + i, 0);
    return -1;
  }
  const at = <usize>w << 2;
  const overlap = load<u32>(overlaps + at);
  const host = load<u32>(hostOverlaps + at);
  const disk = load<u32>(diskOverlaps + at);
  const pool = load<u32>(poolOverlaps + at);
  store<f64>(RESULT, host, 32);
  store<f64>(RESULT, disk, 40);
  store<f64>(RESULT, pool, 48);
  store<f64>(RESULT, predictedOverlap(w), 56);
  store<f64>(RESULT, overlap);
  store<f64>(RESULT, load<f64>(totals + (<usize>w << 3)), 8);
  store<f64>(RESULT, -1, 16);
  if (books) {
    const cached = overlap + max(host + disk, pool);
    const prefill = decodeOnly ? 0 : <f64>tokens - <f64>cached * <f64>tokensPerBlock;
    const blocks = Math.ceil((<f64>tokens + expectedOutputTokens) / <f64>tokensPerBlock);
    addRecent(w, prefill);
    store<f64>(RESULT, book(w, prefill, blocks), 16);
  }
  return w;
}

export function firstToken(booking: u32): void {
  dropPrefill(booking);
}

export function grow(booking: u32, blocks: f64): void {
  growDecode(booking, blocks);
}

/** The worker's recent prefill, in tokens. */
export function recentPrefillOf(w: u32): f64 {
  return load<f64>(recentPrefill + (<usize>w << 3));
}

/** Adds load without a booking; negative amounts remove it. */
export function addLoad(w: u32, tokens: f64, blocks: f64, requests: f64, recent: f64): void {
  addUnbooked(w, tokens, blocks, requests);
  if (recent > 0) addRecent(w, recent);
}

export function free(booking: u32): void {
  unbook(booking);
}
