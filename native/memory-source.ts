import { fstatSync } from "node:fs";
import { isSharedArrayBuffer } from "node:util/types";
import { isMarkedAsUntransferable, markAsUntransferable } from "node:worker_threads";
import type { DriverSource } from "./driver.ts";
import { TransferError } from "./errors.ts";
import type { MemorySource } from "./transfer.ts";

/**
 * Checks memory to be registered, and keeps a buffer from ever being detached: a library may write to it at any time.
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

function pinBuffer(bytes: Uint8Array): Buffer {
  const { buffer } = bytes;
  if (isSharedArrayBuffer(buffer)) refuse("A SharedArrayBuffer cannot be registered.");
  if (buffer.detached) refuse("The buffer is detached.");
  if (buffer.resizable) refuse("A resizable buffer cannot be registered.");
  if (bytes.length === 0) refuse("The buffer is empty.");
  keepInPlace(buffer);
  return Buffer.from(buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * Node's mark makes every way of detaching a buffer throw, and cannot be taken back. Memory of native code has the mark
 * from Node, in a form that leaves transfer(); marking it again would make Node crash when it ends.
 */
function keepInPlace(buffer: ArrayBuffer): void {
  if (!isMarkedAsUntransferable(buffer)) {
    markAsUntransferable(buffer);
    return;
  }
  const value = () => refuse("The ArrayBuffer is registered for transfers and is not detachable.");
  for (const name of ["transfer", "transferToFixedLength"])
    Object.defineProperty(buffer, name, { value, configurable: true });
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
