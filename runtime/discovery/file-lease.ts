import { utimes } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { randomId } from "../ids.ts";
import { type FileStore, isMissing, remove } from "./file-store.ts";
import { hostIdentity, processStart } from "./process-identity.ts";
import type { Lease } from "./types.ts";

/** The content of a lease file, which never changes; its modification time is the holder's last heartbeat. */
export const leaseRecordSchema = z.object({
  host: z.string(),
  pid: z.number().int().positive(),
  start: z.string().optional(),
  ttlMs: z.number().positive(),
});

export type LeaseRecord = z.infer<typeof leaseRecordSchema>;

/** The operations of a lease on its entries. */
export interface LeaseEntries {
  /** Restores entries that another process has removed. */
  restore(leaseId: string): Promise<void>;
  remove(leaseId: string): Promise<void>;
}

/** The holder's side of a lease. */
export class FileLease implements Lease {
  readonly id = randomId();
  readonly #path: string;
  readonly #ttlMs: number;
  readonly #store: FileStore;
  readonly #entries: LeaseEntries;
  readonly #onError: (error: unknown) => void;
  #beat: NodeJS.Timeout | undefined;
  #revoking: Promise<void> | undefined;
  /** The heartbeat in progress. */
  #beating: Promise<void> = Promise.resolve();

  /** @param onError receives the errors of heartbeats */
  constructor(store: FileStore, ttlMs: number, entries: LeaseEntries, onError: (error: unknown) => void) {
    this.#store = store;
    this.#ttlMs = ttlMs;
    this.#entries = entries;
    this.#onError = onError;
    this.#path = join(store.leases, this.id);
  }

  get isRevoked(): boolean {
    return this.#revoking !== undefined;
  }

  async open(): Promise<void> {
    await this.#write();
    this.#beat = setInterval(() => void this.#heartbeat(), this.#ttlMs / 4).unref();
  }

  async #write(): Promise<void> {
    const { pid } = process;
    const record: LeaseRecord = { host: hostIdentity, pid, start: processStart(pid), ttlMs: this.#ttlMs };
    await this.#store.write(this.#path, JSON.stringify(record));
  }

  /** Resolves when its files are gone, also if it is being revoked already. */
  revoke(): Promise<void> {
    clearInterval(this.#beat);
    this.#revoking ??= this.#remove();
    return this.#revoking;
  }

  async #remove(): Promise<void> {
    // A heartbeat in progress would recreate the lease.
    await this.#beating;
    // Remove the lease first: that invalidates its keys, even if the rest fails.
    await remove(this.#path);
    await this.#entries.remove(this.id);
  }

  #heartbeat(): Promise<void> {
    this.#beating = this.#beating.then(() => this.#renew()).catch((error) => this.#onError(error));
    return this.#beating;
  }

  /** Recreates the lease if its file is gone: the process was suspended too long, or the directory was removed. */
  async #renew(): Promise<void> {
    if (this.isRevoked) return;
    const now = Date.now() / 1000;
    try {
      await utimes(this.#path, now, now);
    } catch (error) {
      if (!isMissing(error)) throw error;
      await this.#write();
    }
    await this.#entries.restore(this.id);
  }
}
