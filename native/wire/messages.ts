/** What agents tell each other through the caller's own messages: metadata and descriptors. */
import { crc32 } from "node:zlib";
import { TransferError } from "../errors.ts";
import type { Range, TransferKind } from "../transfer.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";

/** Changes whenever the format or the protocol over sockets does. */
const VERSION = 1;
const METADATA_MAGIC = 0x4d_56_4b_53; // "SKVM"
const DESCRIPTOR_MAGIC = 0x44_56_4b_53; // "SKVD"
const RANGE_BYTES = 16;
const CHECKSUM_BYTES = 4;

const KINDS: readonly TransferKind[] = ["nixl", "shared-memory", "tcp"];

/** For each kind that an agent offers, bytes that only that kind understands. */
export type ByKind = ReadonlyMap<TransferKind, Uint8Array>;

export interface AgentMetadata {
  /** Random. */
  readonly id: string;
  readonly name: string;
  /** Equal if two processes run on the same host and see the same shared memory; see host.ts. */
  readonly host: string;
  readonly addresses: ByKind;
}

export interface MemoryDescriptor {
  readonly agent: string;
  /** Random, and never used for another registration. */
  readonly key: bigint;
  readonly ranges: readonly Range[];
  readonly tokens: ByKind;
}

export function encodeMetadata({ id, name, host, addresses }: AgentMetadata): Uint8Array {
  const writer = begin(METADATA_MAGIC).text(id).text(name).text(host);
  return finish(writeByKind(writer, addresses));
}

/** @throws TransferError `invalid` */
export function decodeMetadata(bytes: Uint8Array): AgentMetadata {
  const reader = open(bytes, "The metadata", METADATA_MAGIC);
  const metadata = {
    id: reader.text(),
    name: reader.text(),
    host: reader.text(),
    addresses: readByKind(reader),
  };
  reader.end();
  return metadata;
}

export function encodeDescriptor({ agent, key, ranges, tokens }: MemoryDescriptor): Uint8Array {
  const writer = begin(DESCRIPTOR_MAGIC).text(agent).u64(key).u32(ranges.length);
  for (const { offset, length } of ranges) writer.size(offset).size(length);
  return finish(writeByKind(writer, tokens));
}

/** @throws TransferError `invalid` */
export function decodeDescriptor(bytes: Uint8Array): MemoryDescriptor {
  const reader = open(bytes, "The descriptor", DESCRIPTOR_MAGIC);
  const descriptor = {
    agent: reader.text(),
    key: reader.u64(),
    ranges: readRanges(reader),
    tokens: readByKind(reader),
  };
  reader.end();
  return descriptor;
}

function readRanges(reader: ByteReader): Range[] {
  return Array.from({ length: reader.count(RANGE_BYTES) }, () => ({
    offset: reader.size(),
    length: reader.size(),
  }));
}

const begin = (magic: number): ByteWriter => new ByteWriter().u32(magic).u8(VERSION);

/** Appends a checksum: a native library should not have to read what was damaged on its way. */
function finish(writer: ByteWriter): Uint8Array {
  const bytes = writer.finish();
  return writer.u32(crc32(bytes)).finish();
}

function open(bytes: Uint8Array, what: string, magic: number): ByteReader {
  if (!(bytes instanceof Uint8Array)) throw new TransferError("invalid", `${what} must be a Uint8Array.`);
  const content = bytes.subarray(0, Math.max(0, bytes.length - CHECKSUM_BYTES));
  const reader = new ByteReader(content, what);
  if (reader.u32() !== magic) throw new TransferError("invalid", `${what} is malformed.`);
  const version = reader.u8();
  if (version !== VERSION) {
    const message = `${what} has version ${version}, but this process understands version ${VERSION}: run the same release of Stator on both sides.`;
    throw new TransferError("invalid", message);
  }
  const checksum = new ByteReader(bytes.subarray(content.length), what).u32();
  if (checksum !== crc32(content)) throw new TransferError("invalid", `${what} is damaged.`);
  return reader;
}

function writeByKind(writer: ByteWriter, values: ByKind): ByteWriter {
  writer.u8(values.size);
  for (const [kind, bytes] of values) writer.u8(KINDS.indexOf(kind)).bytes(bytes);
  return writer;
}

function readByKind(reader: ByteReader): ByKind {
  const values = new Map<TransferKind, Uint8Array>();
  for (let count = reader.u8(); count > 0; count--) {
    const kind = KINDS[reader.u8()];
    const bytes = reader.bytes();
    // A kind that only a newer release has is ignored.
    if (kind !== undefined) values.set(kind, bytes);
  }
  return values;
}
