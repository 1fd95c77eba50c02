import { fstatSync } from "node:fs";
import { isSharedArrayBuffer } from "node:util/types";
import { markAsUntransferable } from "node:worker_threads";
import type { DriverSource } from "./driver.ts";
import { TransferError } from "./errors.ts";
import type { MemorySource } from "./transfer.ts";

/** How often each ArrayBuffer is registered. */
const pins = new WeakMap<ArrayBufferLike, number>();

const DETACHING = ["transfer", "transferToFixedLength"] as const;

/**
 * Checks memory to be registered, and keeps a buffer from being detached meanwhile: a library may write to it at any
 * time. Node's mark against transfers to threads cannot be taken back, so it stays.
 * @throws TransferError `invalid`
 */
export function checkSource(source: MemorySource): DriverSource {
  if (source instanceof Uint8Array) return pinBuffer(source);
  if (!isPositive(source.length)) refuse("The length of memory must be a positive integer.");
  if ("fd" in source) {
    checkFile(source.fd, source.length);
    return source;
  }
  if (typeof source.address !== "bigint" || source.address <= 0n || source.address >= 2n ** 64n)
    refuse("An address must be a bigint of 64 bits, and not 0.");
  return source;
}

/** Ends what checkSource began. */
export function unpinBuffer(source: DriverSource): void {
  if (!(source instanceof Uint8Array)) return;
  const count = (pins.get(source.buffer) ?? 1) - 1;
  pins.set(source.buffer, count);
  if (count === 0) for (const name of DETACHING) Reflect.deleteProperty(source.buffer, name);
}

function pinBuffer(bytes: Uint8Array): Buffer {
  const { buffer } = bytes;
  if (isSharedArrayBuffer(buffer)) refuse("A SharedArrayBuffer cannot be registered.");
  if (buffer.detached) refuse("The buffer is detached.");
  if (buffer.resizable) refuse("A resizable buffer cannot be registered.");
  if (bytes.length === 0) refuse("The buffer is empty.");
  const count = pins.get(buffer) ?? 0;
  pins.set(buffer, count + 1);
  if (count === 0) {
    markAsUntransferable(buffer);
    const value = () => refuse("The buffer is registered for transfers and cannot be detached.");
    for (const name of DETACHING) Object.defineProperty(buffer, name, { value, configurable: true });
  }
  return Buffer.from(buffer, bytes.byteOffset, bytes.byteLength);
}

function checkFile(fd: number, length: number): void {
  let size: number;
  try {
    size = fstatSync(fd).size;
  } catch (cause) {
    throw new TransferError("invalid", `File descriptor ${fd} is not open.`, { cause });
  }
  if (size < length) refuse(`The file has ${size} bytes, fewer than the ${length} to register.`);
}

const isPositive = (value: number): boolean => Number.isSafeInteger(value) && value > 0;

function refuse(message: string): never {
  throw new TransferError("invalid", message);
}
