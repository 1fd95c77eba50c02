/**
 * Why a transfer or a transfer agent failed:
 * - `aborted`: the caller's signal, or its agent, peer or memory was disposed of meanwhile;
 * - `invalid`: a wrong argument, or metadata or a descriptor that is malformed or of another version;
 * - `out_of_range`: a range outside its memory;
 * - `peer_lost`: the peer's process or the connection to it has ended, or it stopped answering;
 * - `refused`: the peer does not have this memory (any more), or no kind of transfer reaches it;
 * - `unavailable`: something is not on this machine: the library, the addon, a kind of memory;
 * - `wrong_size`: the two sides of a transfer differ in length;
 * - `failed`: the library or the system reported an error, which is the cause or in the message.
 */
export type TransferErrorCode =
  | "aborted"
  | "failed"
  | "invalid"
  | "out_of_range"
  | "peer_lost"
  | "refused"
  | "unavailable"
  | "wrong_size";

const CODES: ReadonlySet<string> = new Set<TransferErrorCode>([
  "aborted",
  "failed",
  "invalid",
  "out_of_range",
  "peer_lost",
  "refused",
  "unavailable",
  "wrong_size",
]);

/** The one error class of this room; `message` says what to do. */
export class TransferError extends Error {
  override readonly name = "TransferError";
  readonly code: TransferErrorCode;

  constructor(code: TransferErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** @returns whether a string, from a peer or the addon, is one of the codes */
export const isTransferErrorCode = (code: unknown): code is TransferErrorCode =>
  typeof code === "string" && CODES.has(code);

/** @returns the error itself if it is a TransferError; otherwise one with this code and the error as its cause */
export function asTransferError(error: unknown, code: TransferErrorCode = "failed"): TransferError {
  if (error instanceof TransferError) return error;
  return new TransferError(code, messageOf(error), { cause: error });
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
