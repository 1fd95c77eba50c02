/** What one kind of transfer implements. The agent (agent.ts) has already checked arguments, ranges and states. */
import type { DeviceSource, FileSource, TransferKind } from "./transfer.ts";
import type { Piece } from "./wire/ranges.ts";

export type DriverSource = Buffer | FileSource | DeviceSource;

/** Memory as one driver has registered it. */
export interface DriverMemory {
  /** What this kind needs on the peer's side; part of the descriptor. */
  readonly token: Uint8Array;
  /** Ends the registration. The driver keeps what running transfers need. */
  release(): void;
}

/** A transfer as a driver sees it. */
export interface DriverTransfer {
  readonly direction: "read" | "write";
  readonly memory: DriverMemory;
  /** The registration's key on the peer. */
  readonly key: bigint;
  readonly token: Uint8Array;
  readonly pieces: readonly Piece[];
}

export interface DriverPost {
  readonly signal: AbortSignal;
  readonly notify: Uint8Array | undefined;
}

/** A prepared transfer. */
export interface DriverPrepared {
  /** See DriverLink.run. */
  post(options: DriverPost): Promise<void>;
  release(): void;
}

/** A connection to a peer. */
export interface DriverLink {
  /** Settles only once nothing touches the local memory any more, also after the signal was aborted. */
  run(transfer: DriverTransfer, options: DriverPost): Promise<void>;
  prepare(transfer: DriverTransfer): Promise<DriverPrepared>;
  notify(message: Uint8Array): Promise<void>;
  close(): void;
}

export interface Driver {
  readonly kind: TransferKind;
  /** What peers need to connect. */
  readonly address: Uint8Array;
  /** Zeroed memory that is best for this kind; undefined for an ordinary buffer. */
  allocate?(bytes: number): Buffer;
  /** @returns undefined if this kind cannot register such memory */
  register(source: DriverSource, key: bigint): Promise<DriverMemory | undefined>;
  connect(address: Uint8Array): Promise<DriverLink>;
  /** Whether someone listens to notifications. */
  listen(enabled: boolean): void;
  close(): Promise<void>;
}

/** What a driver is opened with. */
export interface DriverContext {
  /** The agent's random id. */
  readonly id: string;
  readonly name: string;
  readonly stallTimeoutMs: number;
  onNotification(from: string, message: Uint8Array): void;
}
