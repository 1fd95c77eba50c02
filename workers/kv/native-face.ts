/** What this room needs of `#native`. */
export type TransferKind = "nixl" | "shared-memory" | "tcp";

export interface Range {
  readonly offset: number;
  readonly length: number;
}

export interface Registration extends Disposable {
  readonly length: number;
  readonly buffer: Uint8Array | undefined;
  descriptor(): Uint8Array;
}

export interface Peer extends Disposable {
  readonly kind: TransferKind;
  readonly choice: string;
  read(transfer: {
    readonly local: Registration;
    readonly localRanges?: readonly Range[];
    readonly remote: Uint8Array;
    readonly remoteRanges?: readonly Range[];
    readonly signal?: AbortSignal;
  }): Promise<{ readonly bytes: number }>;
}

export interface TransferAgent extends AsyncDisposable {
  readonly kind: TransferKind;
  readonly choice: string;
  metadata(): Uint8Array;
  allocate(bytes: number): Promise<Registration>;
  connect(metadata: Uint8Array): Promise<Peer>;
}
