// Reads batches of KV events in vLLM's wire format, msgpack [timestamp, [event…], data_parallel_rank], in place, and
// applies them without allocating objects. A batch is read completely before any of it is applied. Anything
// unsupported (LoRA names, media, salts, several cache groups, formats that no engine sends today) makes the batch
// unusual: nothing is applied, and the host reads it with its own decoder, which can report errors.
import { hashBlocks, isKeyed, tokensPerBlock } from "./block-hash";
import { beginStored, endStored, localBefore, removeBlocks, storeBlocks, storeNamed } from "./events";
import { forgetWorker } from "./holding";
import { DEVICE, DISK, holderOf, HOST } from "./kinds";
import { beginMedia } from "./media";
import { recycle, takeForPrompt } from "./memory";
import {
  bytesLength,
  isRead,
  isUnusual,
  nextTag,
  noteUnusual,
  openBytes,
  readArray,
  readBytes,
  readHash,
  readInteger,
  readMap,
  readNil,
  readNumbers,
  readString,
  skip,
  stringLength,
} from "./msgpack";
import { invalidatePrompt } from "./prompt";

// Events are written one after another, each after its hashes and token ids:
//    0  u32  next event       4  u32  type             8  u32  tier            12  u32  blocks
//   16  u64  parent hash     24  u32  1: has parent   28  u32  hashes          32  u32  token ids, or local hashes
const NEXT: usize = 0;
const TYPE: usize = 4;
const TIER: usize = 8;
const BLOCKS: usize = 12;
const PARENT: usize = 16;
const HAS_PARENT: usize = 24;
const HASHES: usize = 28;
const IDS: usize = 32;
const EVENT_BYTES: usize = 40;

const STORED: u32 = 1;
const COPIED: u32 = 2;
const REMOVED: u32 = 3;
const CLEARED: u32 = 4;
/** Stored, with local hashes in place of token ids. */
const HASHED: u32 = 5;
/** An unknown medium. */
const ELSEWHERE: u32 = 255;

/** More than a reader may read beyond the end. */
const SLACK: usize = 64;

let payload: usize = 0;
let capacity: usize = 0;
/** Output position. A hash takes 8 bytes for at least one of the payload; an event, 40 for at least eleven. */
let out: usize = 0;
let firstEvent: usize = 0;
let lastEvent: usize = 0;

export let payloadRank: u32 = 0;
export let payloadEvents: u32 = 0;
/** Events with stored blocks. */
export let payloadStored: u32 = 0;

/** Where to write a payload; 0 if there is not enough memory. */
export function reservePayload(bytes: u32): usize {
  if (bytes > MOST_BYTES) return 0;
  if (<usize>bytes <= capacity) return payload;
  let wanted: usize = max(capacity, 4096);
  while (wanted < bytes) wanted <<= 1;
  const piece = takeForPrompt(roomFor(wanted));
  if (!piece) return 0;
  if (capacity) recycle(payload, roomFor(capacity));
  payload = piece;
  capacity = wanted;
  return piece;
}

const MOST_BYTES: u32 = 1 << 26;

function roomFor(bytes: usize): usize {
  return bytes + SLACK + bytes * 12 + SLACK;
}

/** Reads the payload; false if it is unusual and must not be applied. */
export function readPayload(bytes: u32): bool {
  lastEvent = 0;
  firstEvent = 0;
  payloadRank = 0;
  payloadEvents = 0;
  payloadStored = 0;
  if (<usize>bytes <= capacity && readBatch(bytes)) return true;
  firstEvent = 0;
  return false;
}

function readBatch(bytes: u32): bool {
  out = (payload + capacity + SLACK + 7) & ~7;
  openBytes(payload, bytes);
  const fields = readArray();
  const timestamp = nextTag();
  if (fields < 2 || (timestamp >= 0x80 && (timestamp < 0xca || timestamp > 0xd3))) return false;
  skip();
  const events = readArray();
  for (let i: u32 = 0; i < events && !isUnusual; i++) readEvent();
  if (fields > 2 && !readNil()) {
    const rank = readInteger();
    if (rank > 0xffff) return false;
    payloadRank = <u32>rank;
  }
  for (let i: u32 = 3; i < fields; i++) skip();
  return !isUnusual && isRead();
}

// The event being read.
let type: u32 = 0;
let tier: u32 = 0;
let blockHashes: usize = 0;
let blocks: u32 = 0;
let hasParent: bool = false;
let parentHash: u64 = 0;
let ids: usize = 0;
let idCount: u32 = 0;
/** Local hashes in the payload, and their bytes. */
let locals: usize = 0;
let localsBytes: u32 = 0;
let blockSize: u64 = 0;

function readEvent(): void {
  type = 0;
  tier = DEVICE;
  blockHashes = 0;
  hasParent = false;
  ids = 0;
  locals = 0;
  blockSize = 0;
  const tag = nextTag();
  if ((tag & 0xf0) == 0x90 || tag == 0xdc) readFieldsInOrder();
  else readFieldsByName();
  if (!isUnusual && type) keepEvent();
}

/** `[tag, fields…]` in vLLM's order. */
function readFieldsInOrder(): void {
  const fields = readArray();
  if (!fields) return noteUnusual();
  readType();
  for (let i: u32 = 1; i < fields && !isUnusual; i++) {
    if (type == STORED) {
      if (i == 1) readHashes();
      else if (i == 2) readParent();
      else if (i == 3) readIds();
      else if (i == 4) blockSize = readInteger();
      else if (i == 5) readZero();
      else if (i == 6) readMedium();
      else if (i == 7) readNothing();
      else if (i == 8) readExtraKeys();
      else if (i == 9) readZero();
      else if (i == 10) readKind();
      else skip();
    } else if (type == REMOVED) {
      if (i == 1) readHashes();
      else if (i == 2) readMedium();
      else if (i == 3) readZero();
      else skip();
    } else {
      skip();
    }
  }
}

function readFieldsByName(): void {
  const fields = readMap();
  for (let i: u32 = 0; i < fields && !isUnusual; i++) {
    const name = readString();
    const length = stringLength;
    const first = load<u64>(name);
    if (length == 4 && <u32>first == 0x65707974) readType();
    else if (length == 12 && hasEnds(name, 0x61685f6b636f6c62, 0x7365687361685f6b)) readHashes();
    else if (length == 12 && hasEnds(name, 0x61685f6c61636f6c, 0x7365687361685f6c)) readLocals();
    else if (length == 17 && load<u8>(name, 8) == 0x6c && hasEnds(name, 0x625f746e65726170, 0x687361685f6b636f)) readParent();
    else if (length == 9 && hasEnds(name, 0x64695f6e656b6f74, 0x7364695f6e656b6f)) readIds();
    else if (length == 10 && hasEnds(name, 0x69735f6b636f6c62, 0x657a69735f6b636f)) blockSize = readInteger();
    else if (length == 6 && (first << 16) == 0x6d756964656d0000) readMedium();
    else if (length == 9 && hasEnds(name, 0x6d616e5f61726f6c, 0x656d616e5f61726f)) readNothing();
    else if (length == 10 && hasEnds(name, 0x656b5f6172747865, 0x7379656b5f617274)) readExtraKeys();
    else if (length == 10 && hasEnds(name, 0x61735f6568636163, 0x746c61735f656863)) readNothing();
    else if (length == 8 && first == 0x617461646174656d) readNothing();
    else if (length == 9 && hasEnds(name, 0x64695f70756f7267, 0x7864695f70756f72)) readZero();
    else if (length == 7 && (first << 8) == 0x64695f61726f6c00) readZero();
    else if (length == 18 && hasEnds(name, 0x65686361635f766b, 0x646e696b5f636570)) readKind();
    else skip();
  }
  if (!sawType) noteUnusual();
  sawType = false;
}

/** Whether the last string read begins and ends with these eight bytes, little-endian. */
function hasEnds(string: usize, first: u64, last: u64): bool {
  return load<u64>(string) == first && load<u64>(string + stringLength - 8) == last;
}

let sawType: bool = false;

/** Reads the event type. Unknown types are ignored. */
function readType(): void {
  sawType = true;
  const name = readString();
  if (stringLength == 11 && hasEnds(name, 0x6f74536b636f6c42, 0x6465726f74536b63)) type = STORED;
  else if (stringLength == 12 && hasEnds(name, 0x6d65526b636f6c42, 0x6465766f6d65526b)) type = REMOVED;
  else if (stringLength == 16 && hasEnds(name, 0x6b636f6c426c6c41, 0x64657261656c4373)) type = CLEARED;
}

function readHashes(): void {
  blocks = readArray();
  blockHashes = out;
  for (let i: u32 = 0; i < blocks && !isUnusual; i++, out += 8) store<u64>(out, readHash());
}

function readParent(): void {
  hasParent = !readNil();
  if (hasParent) parentHash = readHash();
}

function readIds(): void {
  idCount = readArray();
  ids = out;
  readNumbers(idCount, out);
  out += ((<usize>idCount << 2) + 7) & ~7;
}

/** Our own field: 8 bytes for each block, little-endian. They need not be aligned. */
function readLocals(): void {
  if (readNil()) return;
  locals = readBytes();
  localsBytes = bytesLength;
}

/** vLLM sends GPU, CPU or STORAGE; SGLang GPU, CPU_PINNED or DISK; nil means the device. */
function readMedium(): void {
  if (readNil()) return;
  const name = readString();
  const length = stringLength;
  if (length > 10) {
    tier = ELSEWHERE;
    return;
  }
  // In upper case.
  let first: u64 = 0;
  for (let i: u32 = 0; i < min(length, 8); i++) first |= <u64>upper(load<u8>(name + i)) << (i << 3);
  if (length == 3 && first == 0x555047) tier = DEVICE;
  else if (length == 3 && first == 0x555043) tier = HOST;
  else if (length == 10 && first == 0x4e4e49505f555043) tier = HOST;
  else if (length == 7 && first == 0x454741524f5453) tier = DISK;
  else if (length == 4 && first == 0x4b534944) tier = DISK;
  else tier = ELSEWHERE;
}

function upper(letter: u32): u32 {
  return letter >= 0x61 && letter <= 0x7a ? letter - 32 : letter;
}

/** Requires nil: for a LoRA adapter's name, and for SGLang's `cache_salt` and `metadata`, which has it too. */
function readNothing(): void {
  if (!readNil()) noteUnusual();
}

/**
 * Requires nil or 0: for a LoRA adapter's number, because any other is not the base model; and for the cache group,
 * because the host picks the group to follow if there are several.
 */
function readZero(): void {
  if (!readNil() && readInteger() != 0) noteUnusual();
}

/** Requires nil, full_attention or mla_attention: a cache of whole sequences. */
function readKind(): void {
  if (readNil()) return;
  const name = readString();
  const length = stringLength;
  if (length == 14 && hasEnds(name, 0x7474615f6c6c7566, 0x6e6f69746e657474)) return;
  if (length == 13 && hasEnds(name, 0x657474615f616c6d, 0x6e6f69746e657474)) return;
  noteUnusual();
}

/** Requires nil, for all blocks or for each. */
function readExtraKeys(): void {
  if (readNil()) return;
  const keys = readArray();
  for (let i: u32 = 0; i < keys && !isUnusual; i++) if (!readNil() && readArray() > 0) noteUnusual();
}

/** Writes the event that was read, unless its medium is unknown. */
function keepEvent(): void {
  if (type != CLEARED && !blockHashes) return noteUnusual();
  if (type == STORED) {
    if (!ids) return noteUnusual();
    if (locals) {
      if (!isKeyed || idCount || blockSize != tokensPerBlock || <u64>localsBytes != <u64>blocks << 3) return noteUnusual();
      type = HASHED;
      ids = locals;
    } else if (!idCount && blocks) type = COPIED;
    else if (blockSize != tokensPerBlock || <u64>idCount != <u64>blocks * blockSize) return noteUnusual();
  }
  if (tier == ELSEWHERE) return;
  store<u32>(out, 0, NEXT);
  store<u32>(out, type, TYPE);
  store<u32>(out, tier, TIER);
  store<u32>(out, blocks, BLOCKS);
  store<u64>(out, parentHash, PARENT);
  store<u32>(out, hasParent, HAS_PARENT);
  store<u32>(out, <u32>blockHashes, HASHES);
  store<u32>(out, <u32>ids, IDS);
  if (lastEvent) store<u32>(lastEvent, <u32>out, NEXT);
  else firstEvent = out;
  lastEvent = out;
  out += EVENT_BYTES;
  payloadEvents++;
  if ((type == STORED || type == HASHED) && blocks) payloadStored++;
}

/** Applies the last batch read to the worker; `locals` has space for `room` hashes. Returns the changed blocks. */
export function applyPayload(w: u32, locals: usize, room: u32): u32 {
  invalidatePrompt();
  let changed: u32 = 0;
  for (let event = firstEvent; event; event = load<u32>(event, NEXT)) {
    const type = load<u32>(event, TYPE);
    const h = holderOf(load<u32>(event, TIER), w);
    const hashes = <usize>load<u32>(event, HASHES);
    const blocks = load<u32>(event, BLOCKS);
    if (type == STORED) changed += applyStored(event, h, w, locals, room);
    else if (type == HASHED) changed += applyHashed(event, h, w);
    else if (type == COPIED) changed += storeNamed(h, w, hashes, blocks);
    else if (type == REMOVED) changed += removeBlocks(h, hashes, blocks);
    else forgetWorker(w);
  }
  firstEvent = 0;
  return changed;
}

function applyStored(event: usize, h: u32, w: u32, locals: usize, room: u32): u32 {
  if (!beginStored(h, w, load<u32>(event, HAS_PARENT) != 0, load<u64>(event, PARENT))) return 0;
  const hashes = <usize>load<u32>(event, HASHES);
  const ids = <usize>load<u32>(event, IDS);
  const blocks = load<u32>(event, BLOCKS);
  beginMedia(false);
  let done: u32 = 0;
  while (done < blocks) {
    const piece = min(blocks - done, room);
    hashBlocks(ids + (<usize>done * tokensPerBlock << 2), piece, locals, 0, localBefore());
    const stored = storeBlocks(h, hashes + (<usize>done << 3), locals, piece);
    done += stored;
    if (stored < piece) break;
  }
  endStored(blocks - done);
  return done;
}

function applyHashed(event: usize, h: u32, w: u32): u32 {
  if (!beginStored(h, w, load<u32>(event, HAS_PARENT) != 0, load<u64>(event, PARENT))) return 0;
  const blocks = load<u32>(event, BLOCKS);
  const stored = storeBlocks(h, load<u32>(event, HASHES), load<u32>(event, IDS), blocks);
  endStored(blocks - stored);
  return stored;
}
