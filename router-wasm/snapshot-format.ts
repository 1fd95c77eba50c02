/**
 * The format of a snapshot, little-endian: pieces of `u32 bytes of content, u32 number of the piece from 0, content,
 * u64 XXH3-64 of the piece so far`. The first piece's content is a head, the last one's an end; those between hold the
 * core's copies of whole runs (`assembly/snapshot.ts`).
 *
 * Head: `STATORKV`, u32 version, u32 block size, u64 seed of the router's own salt (with a key, its keyed hash), u32
 * number of workers, u32 unused, u32 each worker. End: u32 number of runs, u32 unused.
 */
import type { Core } from "./core.ts";
import { RouterError } from "./errors.ts";

export const SNAPSHOT_VERSION = 1;
const MAGIC = 0x564b_524f_5441_5453n;
const PIECE_HEAD = 8;
const CHECKSUM = 8;
const HEAD = 32;

export interface SnapshotHead {
  blockSize: number;
  seed: bigint;
  workers: number[];
}

export interface SnapshotContent extends SnapshotHead {
  /** Copies of runs. */
  pieces: Uint8Array[];
  runs: number;
}

/** A piece with room for its content, which the caller fills in before calling `seal`. */
export function newPiece(number: number, bytes: number): Uint8Array<ArrayBuffer> {
  const piece = new Uint8Array(PIECE_HEAD + bytes + CHECKSUM);
  const view = viewOf(piece);
  view.setUint32(0, bytes, true);
  view.setUint32(4, number, true);
  return piece;
}

export function contentOf(piece: Uint8Array): Uint8Array {
  return piece.subarray(PIECE_HEAD, piece.length - CHECKSUM);
}

export function seal(core: Core, piece: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const end = piece.length - CHECKSUM;
  viewOf(piece).setBigUint64(end, checksum(core, piece.subarray(0, end)), true);
  return piece;
}

export function headPiece(core: Core, { blockSize, seed, workers }: SnapshotHead): Uint8Array<ArrayBuffer> {
  const piece = newPiece(0, HEAD + workers.length * 4);
  const view = viewOf(contentOf(piece));
  view.setBigUint64(0, MAGIC, true);
  view.setUint32(8, SNAPSHOT_VERSION, true);
  view.setUint32(12, blockSize, true);
  view.setBigUint64(16, seed, true);
  view.setUint32(24, workers.length, true);
  for (const [i, worker] of workers.entries()) view.setUint32(HEAD + i * 4, worker, true);
  return seal(core, piece);
}

export function endPiece(core: Core, number: number, runs: number): Uint8Array<ArrayBuffer> {
  const piece = newPiece(number, 8);
  viewOf(contentOf(piece)).setUint32(0, runs, true);
  return seal(core, piece);
}

/** A snapshot in one piece. */
export function joinPieces(snapshot: Uint8Array | Iterable<Uint8Array>): Uint8Array {
  if (snapshot instanceof Uint8Array) return snapshot;
  const pieces = [...snapshot];
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** The content of a piece that stands alone. Throws `bad_snapshot` if it is damaged or has another number. */
export function readOnePiece(core: Core, piece: Uint8Array, number: number): Uint8Array {
  const content = readPiece(core, piece, 0, number);
  if (PIECE_HEAD + content.length + CHECKSUM !== piece.length) throw damaged("a piece is too long");
  return content;
}

/** Parses a snapshot. Throws `bad_snapshot` if it is damaged, truncated or of another version. */
export function readSnapshot(core: Core, bytes: Uint8Array): SnapshotContent {
  const contents: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const content = readPiece(core, bytes, at, contents.length);
    contents.push(content);
    at += PIECE_HEAD + content.length + CHECKSUM;
  }
  const [head, ...pieces] = contents;
  const end = pieces.pop();
  if (head === undefined || end?.length !== 8) throw damaged("it is truncated");
  return { ...readHead(head), pieces, runs: viewOf(end).getUint32(0, true) };
}

function readPiece(core: Core, bytes: Uint8Array, at: number, number: number): Uint8Array {
  const view = viewOf(bytes);
  if (bytes.length - at < PIECE_HEAD + CHECKSUM) throw damaged("it is truncated");
  const end = at + PIECE_HEAD + view.getUint32(at, true);
  if (end + CHECKSUM > bytes.length) throw damaged(number === 0 ? "it is not a snapshot" : "it is truncated");
  const sum = view.getBigUint64(end, true);
  if (view.getUint32(at + 4, true) !== number || checksum(core, bytes.subarray(at, end)) !== sum) {
    throw damaged(`the checksum of piece ${number} is wrong`);
  }
  return bytes.subarray(at + PIECE_HEAD, end);
}

export function readHead(head: Uint8Array): SnapshotHead {
  const view = viewOf(head);
  if (head.length < HEAD || view.getBigUint64(0, true) !== MAGIC) throw damaged("it is not a snapshot");
  const version = view.getUint32(8, true);
  if (version !== SNAPSHOT_VERSION) {
    const message = `The snapshot has version ${version}, this router reads ${SNAPSHOT_VERSION}: start without it.`;
    throw new RouterError("bad_snapshot", message);
  }
  const workers = view.getUint32(24, true);
  if (head.length !== HEAD + workers * 4) throw damaged("its list of workers is truncated");
  return {
    blockSize: view.getUint32(12, true),
    seed: view.getBigUint64(16, true),
    workers: Array.from({ length: workers }, (_, i) => view.getUint32(HEAD + i * 4, true)),
  };
}

/** The error for a snapshot whose hashes are not those of this router. */
export function otherHashes(blockSize: number): RouterError {
  const message = `The snapshot is of a router with blocks of ${blockSize} tokens, or another salt or key: start without it.`;
  return new RouterError("bad_snapshot", message);
}

export function damaged(what: string): RouterError {
  return new RouterError("bad_snapshot", `The snapshot is damaged (${what}): start without it.`);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function checksum(core: Core, bytes: Uint8Array): bigint {
  const area = core.exports.payloadArea(bytes.length) >>> 0;
  if (area === 0) throw new RouterError("memory", "There is not enough memory for a piece of the snapshot.");
  core.u8.set(bytes, area);
  core.exports.checksum(area, bytes.length);
  return core.u64[core.exports.resultArea() >>> 3]!;
}
