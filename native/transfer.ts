/** The interface for moving memory (KV cache, above all) between processes. Implemented once per kind; see agent.ts. */

/** How bytes travel: NVIDIA's NIXL, staging files in shared memory on one host, or TCP. */
export type TransferKind = "nixl" | "shared-memory" | "tcp";

/** A part of a memory, in bytes from its start. */
export interface Range {
  readonly offset: number;
  readonly length: number;
}

/** A file that is open in this process. It must stay open until its registration has been disposed of. */
export interface FileSource {
  readonly fd: number;
  /** Bytes, from the start of the file. */
  readonly length: number;
}

/**
 * Memory that an engine owns, a GPU's for instance. Only NIXL can register it. The caller guarantees that it exists
 * until its registration has been disposed of and its transfers have ended.
 */
export interface DeviceSource {
  readonly memory: "device" | "host";
  readonly address: bigint;
  readonly length: number;
  /** The GPU's index; 0 for host memory. */
  readonly deviceId?: number;
}

export type MemorySource = Uint8Array | FileSource | DeviceSource;

/** Memory that this agent's transfers, and its peers, can read and write. */
export interface Registration extends Disposable {
  readonly length: number;
  /** The memory itself; undefined for files and device memory. */
  readonly buffer: Uint8Array | undefined;
  /**
   * What a peer needs to address this memory, or some ranges of it in this order. A few hundred bytes; opaque.
   * @throws TransferError `out_of_range`; `aborted` after disposal
   */
  descriptor(ranges?: readonly Range[]): Uint8Array;
  /**
   * Resolves once no transfer of this agent uses the memory any more. An aborted transfer rejects at once, but the
   * library may write to the memory until then.
   */
  settled(): Promise<void>;
  /**
   * Ends the registration: new transfers and peers are refused at once. Transfers that already run on this agent keep
   * the memory until they have ended.
   */
  [Symbol.dispose](): void;
}

/** One side's view of a transfer: local memory, the peer's memory, and which bytes of each. */
export interface TransferSpec {
  readonly local: Registration;
  /** Ranges of `local`, in order; all of it by default. */
  readonly localRanges?: readonly Range[];
  /** A descriptor from the peer. */
  readonly remote: Uint8Array;
  /** Ranges of the bytes that the descriptor covers, in order; all of them by default. */
  readonly remoteRanges?: readonly Range[];
}

export interface PostOptions {
  /** Ends the transfer. Its promise rejects at once, but the memory is in use until it has `settled()`. */
  readonly signal?: AbortSignal;
  /** A message of at most 64 KiB that the peer receives once all bytes have arrived. */
  readonly notify?: Uint8Array;
}

export interface TransferResult {
  readonly bytes: number;
  /** From the call until the bytes had arrived. */
  readonly microseconds: number;
}

/** A transfer that can run many times, one at a time. */
export interface PreparedTransfer extends Disposable {
  readonly bytes: number;
  /** @throws TransferError; `invalid` while it already runs */
  post(options?: PostOptions): Promise<TransferResult>;
}

/** A connection to another agent. */
export interface Peer extends Disposable {
  readonly name: string;
  readonly kind: TransferKind;
  /** Why this kind: one sentence for logs. */
  readonly choice: string;
  /**
   * Copies from the peer's memory into local memory. After an error, the local memory's content is undefined.
   * @throws TransferError
   */
  read(transfer: TransferSpec & PostOptions): Promise<TransferResult>;
  /** Copies from local memory into the peer's. @throws TransferError */
  write(transfer: TransferSpec & PostOptions): Promise<TransferResult>;
  /** Checks and prepares a transfer once, for many posts. @throws TransferError */
  prepare(direction: "read" | "write", transfer: TransferSpec): Promise<PreparedTransfer>;
  /** Sends a message of at most 64 KiB. */
  notify(message: Uint8Array): Promise<void>;
  /** Aborts transfers with this peer and disconnects. */
  [Symbol.dispose](): void;
}

/** A message from a peer. */
export interface TransferNotification {
  /** The sender's name, as it says itself: any peer that can connect is trusted. */
  readonly from: string;
  readonly message: Uint8Array;
}

/** Totals since the agent was opened. */
export interface TransferTelemetry {
  readonly completed: number;
  readonly failed: number;
  readonly running: number;
  /** Bytes moved by this agent's completed transfers. */
  readonly bytes: number;
  /** Sum over completed transfers, from post to completion. */
  readonly microseconds: number;
  readonly registrations: number;
  readonly registeredBytes: number;
  readonly peers: number;
}

export interface TransferAgent extends AsyncDisposable {
  readonly name: string;
  /** The kind this agent prefers; a peer's `kind` says what is used with it. */
  readonly kind: TransferKind;
  /** What was chosen and why: one sentence for logs and /health. */
  readonly choice: string;
  /** What a peer needs to connect. Contains secrets: whoever has it can read and write registered memory. */
  metadata(): Uint8Array;
  /** Allocates page-aligned memory (with huge pages if available) and registers it. Its content is zero. */
  allocate(bytes: number): Promise<Registration>;
  /**
   * Makes memory available to transfers. From then on, a buffer cannot be detached or transferred to a thread.
   * @throws TransferError `invalid` for resizable, shared or detached buffers; `unavailable` for unsupported memory
   */
  register(source: MemorySource): Promise<Registration>;
  /**
   * Connects to the agent that this metadata comes from, which may be this agent itself.
   * @throws TransferError `invalid` for malformed metadata or another version; `refused` without a common kind;
   * `peer_lost` if the agent cannot be reached
   */
  connect(metadata: Uint8Array): Promise<Peer>;
  /** Calls `listener` for each message from a peer. @returns a function that ends this */
  onNotification(listener: (notification: TransferNotification) => void): () => void;
  /** Messages from peers, starting now, until the agent closes or the signal is aborted. */
  notifications(signal?: AbortSignal): AsyncIterable<TransferNotification>;
  telemetry(): TransferTelemetry;
  /** Rejects running transfers (`aborted`), disconnects and releases all memory, in the right order. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** TLS for TCP, in PEM. Both sides need a certificate by the given authority. */
export interface TransferTls {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

export interface TransferAgentOptions {
  /** `auto` (default): NIXL if available, otherwise shared memory on this host and TCP to others. */
  readonly kind?: "auto" | TransferKind;
  /** Shown to peers in notifications and errors. */
  readonly name: string;
  readonly nixl?: {
    /** Path of `libnixl_capi.so`; by default it is searched for. */
    readonly library?: string;
    /** Parameters of the UCX backend in place of its defaults, `ucx_devices` for example. */
    readonly parameters?: Readonly<Record<string, string>>;
  };
  readonly tcp?: {
    /** The address to listen on; 127.0.0.1 by default. */
    readonly host?: string;
    /** By default, any free port. */
    readonly port?: number;
    /** The address that peers connect to, if it is not `host`. */
    readonly advertise?: string;
    readonly tls?: TransferTls;
  };
  /** A peer that sends nothing for this many milliseconds during a transfer is lost; 30,000 by default. */
  readonly stallTimeoutMs?: number;
}
