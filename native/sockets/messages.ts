/** The heads of frames. */
import { isTransferErrorCode, TransferError } from "../errors.ts";
import type { Range } from "../transfer.ts";
import { ByteReader, ByteWriter } from "../wire/bytes.ts";

/** Most pieces of one step: as many as the system takes in one vectored read or write (IOV_MAX). */
export const MAX_PIECES = 1024;

export interface Hello {
  /** From the server's metadata. */
  readonly secret: Uint8Array;
  readonly name: string;
  /** The file through which bodies travel; empty if they travel in frames. */
  readonly stagingFile: string;
}

/** One step of a transfer, in the memory of whoever receives it. */
export interface StepRequest {
  readonly key: bigint;
  /** The slot of the staging file. */
  readonly slot: number;
  readonly pieces: readonly Range[];
}

export const encodeHello = ({ secret, name, stagingFile }: Hello): Uint8Array =>
  new ByteWriter().bytes(secret).text(name).text(stagingFile).finish();

export function decodeHello(head: Buffer): Hello {
  const reader = new ByteReader(head, "The greeting");
  return { secret: reader.bytes(), name: reader.text(), stagingFile: reader.text() };
}

export function encodeStep({ key, slot, pieces }: StepRequest): Uint8Array {
  const writer = new ByteWriter().u64(key).u32(slot).u32(pieces.length);
  for (const { offset, length } of pieces) writer.size(offset).size(length);
  return writer.finish();
}

export function decodeStep(head: Buffer): StepRequest {
  const reader = new ByteReader(head, "The request");
  const [key, slot, count] = [reader.u64(), reader.u32(), reader.count(16)];
  if (count > MAX_PIECES) throw new TransferError("invalid", "The request has too many pieces.");
  const pieces = Array.from({ length: count }, () => ({ offset: reader.size(), length: reader.size() }));
  return { key, slot, pieces };
}

export const encodeFailure = ({ code, message }: TransferError): Uint8Array =>
  new ByteWriter().text(code).text(message).finish();

export function decodeFailure(head: Buffer): TransferError {
  const reader = new ByteReader(head, "The peer's answer");
  const [code, message] = [reader.text(), reader.text()];
  return new TransferError(isTransferErrorCode(code) ? code : "failed", message);
}
