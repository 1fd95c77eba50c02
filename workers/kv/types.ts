import type { TransferOutcome } from "#runtime";

/** KV that an engine offers to another worker's engine. */
export interface KvExport {
  /** How many of the prompt's first tokens it covers. */
  readonly tokens: number;
  /** Its size. */
  readonly bytes: number;
  /** Copies the KV into `memory`, which has that size. Called at most once, before `release`. */
  write(memory: Uint8Array): Promise<void>;
  /** Frees whatever the engine keeps for the export. Called once, also if the export has failed. */
  release(): void;
}

/** KV that another worker has exported, for an engine's `importKv`. */
export interface KvImport {
  /** How many of the prompt's first tokens it covers: at least one, and fewer than the prompt has. */
  readonly tokens: number;
  /** Its size. */
  readonly bytes: number;
  /**
   * Aborts, with a `KvUnusableError` as its reason, when the transfer takes too long, and when the request ends. Once the
   * engine has yielded its first delta, the transfer is over.
   */
  readonly signal: AbortSignal;
  /**
   * Fetches the KV. The memory is valid until the engine yields its first delta.
   * @throws KvUnusableError if it cannot be had, or was freed while it was read
   */
  read(): Promise<Uint8Array>;
}

/**
 * Exported KV cannot be used, and why. If `importKv` throws it before its first delta, the worker computes the prompt
 * itself.
 */
export class KvUnusableError extends Error {
  override name = "KvUnusableError";
  readonly outcome: Exclude<TransferOutcome, "transferred">;

  constructor(outcome: Exclude<TransferOutcome, "transferred">, message: string, options?: ErrorOptions) {
    super(message, options);
    this.outcome = outcome;
  }
}
