// An alias records that a worker reported a block under a different hash from the one in the run: because engines have
// different hash seeds, or the same tokens were stored twice. 32 bytes:
//
//    0  u64  engine hash       8  u32  worker       12  u32  block
//   16  u32  neighbours in the run's list (previous, next)    24  u32  neighbours in the worker's list
import { findAlias, insertAlias, removeAlias } from "./engine-table";
import { aliasHeads } from "./kinds";
import { poolInit, poolFree, poolReady, poolTake } from "./memory";
import { ALIASES, linksOf, placeOf, runOf } from "./run";

const POOL: usize = memory.data(16, 4);
const WORKER: usize = 8;
const BLOCK: usize = 12;
const RUN_BEFORE: usize = 16;
const RUN_AFTER: usize = 20;
const WORKER_BEFORE: usize = 24;
const WORKER_AFTER: usize = 28;

export function initAliases(): void {
  poolInit(POOL, 32, 64);
}

export function aliasesReady(): bool {
  return poolReady(POOL, 1);
}

// @ts-ignore: decorator
@inline
export function aliasBlock(alias: usize): u32 {
  return load<u32>(alias, BLOCK);
}

export function aliasWorker(alias: usize): u32 {
  return load<u32>(alias, WORKER);
}

/** The worker's alias with this hash; 0 if none. */
export function aliasOf(w: u32, hash: u64): usize {
  return load<u32>(aliasHeads + (<usize>w << 2)) ? findAlias(hash, w) : 0;
}

/** Any alias of the worker; 0 if none. */
export function anyAliasOf(w: u32): usize {
  return load<u32>(aliasHeads + (<usize>w << 2));
}

/** Whether the worker has an alias for the block. Walks the run's list: call it only if there may be several. */
export function hasAlias(w: u32, block: u32): bool {
  for (let alias = <usize>load<u32>(linksOf(runOf(block)), ALIASES); alias; alias = load<u32>(alias, RUN_AFTER)) {
    if (load<u32>(alias, BLOCK) == block && load<u32>(alias, WORKER) == w) return true;
  }
  return false;
}

/** Call `aliasesReady` first. */
export function addAlias(w: u32, hash: u64, block: u32): void {
  const alias = poolTake(POOL);
  store<u64>(alias, hash);
  store<u32>(alias, w, WORKER);
  store<u32>(alias, block, BLOCK);
  link(alias, linksOf(runOf(block)) + ALIASES, RUN_BEFORE);
  link(alias, aliasHeads + (<usize>w << 2), WORKER_BEFORE);
  insertAlias(alias);
}

export function dropAlias(alias: usize): void {
  removeAlias(alias);
  unlink(alias, linksOf(runOf(load<u32>(alias, BLOCK))) + ALIASES, RUN_BEFORE);
  unlink(alias, aliasHeads + (load<u32>(alias, WORKER) << 2), WORKER_BEFORE);
  poolFree(POOL, alias);
}

export function aliasHash(alias: usize): u64 {
  return load<u64>(alias);
}

/** The block's place in its run. */
export function aliasPlace(alias: usize): u32 {
  return placeOf(load<u32>(alias, BLOCK));
}

export function countAliases(run: usize): u32 {
  let aliases: u32 = 0;
  for (let alias = <usize>load<u32>(linksOf(run), ALIASES); alias; alias = load<u32>(alias, RUN_AFTER)) aliases++;
  return aliases;
}

/** Calls `visit` for every alias of a run. */
export function eachAlias(run: usize, visit: (alias: usize) => void): void {
  for (let alias = <usize>load<u32>(linksOf(run), ALIASES); alias; alias = load<u32>(alias, RUN_AFTER)) visit(alias);
}

/** Drops all aliases of a run. */
export function dropAliases(run: usize): void {
  for (let alias = <usize>load<u32>(linksOf(run), ALIASES); alias; alias = load<u32>(linksOf(run), ALIASES)) dropAlias(alias);
}

/** @param before offset of the link to the previous alias; the link to the next one follows it */
function link(alias: usize, head: usize, before: usize): void {
  const first = <usize>load<u32>(head);
  store<u32>(alias + before, 0);
  store<u32>(alias + before, first, 4);
  if (first) store<u32>(first + before, alias);
  store<u32>(head, alias);
}

function unlink(alias: usize, head: usize, before: usize): void {
  const previous = <usize>load<u32>(alias + before);
  const next = load<u32>(alias + before, 4);
  if (previous) store<u32>(previous + before, next, 4);
  else store<u32>(head, next);
  if (next) store<u32>(<usize>next + before, <u32>previous);
}
