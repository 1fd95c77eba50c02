import { utimes } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { randomId } from "../ids.ts";
import { type FileStore, isMissing, remove } from "./file-store.ts";
import { hostIdentity, processStart } from "./process-identity.ts";
import { DiscoveryError, type Lease } from "./types.ts";

/** What a lease's file says. It never changes; its modification time is the holder's last sign of life. */
export const leaseRecordSchema = z.object({
  host: z.string(),
  pid: z.number().int().positive(),
  start: z.string().optional(),
  ttlMs: z.number().positive(),
});

export type LeaseRecord = z.infer<typeof leaseRecordSchema>;

/** The holder's side of a lease. */
export class FileLease implements Lease {
  readonly id = randomId();
  readonly #path: string;
  readonly #ttlMs: number;
  readonly #store: FileStore;
  readonly #removeEntries: (leaseId: string) => Promise<void>;
  readonly #lost = new AbortController();
  #beat: NodeJS.Timeout | undefined;
  #over = false;

  constructor(store: FileStore, ttlMs: number, removeEntries: (leaseId: string) => Promise<void>) {
    this.#store = store;
    this.#ttlMs = ttlMs;
    this.#removeEntries = removeEntries;
    this.#path = join(store.leases, this.id);
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Whether the lease was revoked or lost. */
  get over(): boolean {
    return this.#over;
  }

  async open(): Promise<void> {
    const { pid } = process;
    const record: LeaseRecord = { host: hostIdentity, pid, start: processStart(pid), ttlMs: this.#ttlMs };
    await this.#store.write(this.#path, JSON.stringify(record));
    this.#beat = setInterval(() => this.#showLife(), this.#ttlMs / 4).unref();
  }

  async revoke(): Promise<void> {
    if (!this.#finish()) return;
    // The lease first: from here on its keys are gone, however far the rest gets.
    await remove(this.#path);
    await this.#removeEntries(this.id);
  }

  async #showLife(): Promise<void> {
    const now = Date.now() / 1000;
    try {
      await utimes(this.#path, now, now);
    } catch (error) {
      // Any other trouble (a full disk, a server that is away) may pass before the lease runs out.
      if (isMissing(error) && this.#finish()) {
        this.#lost.abort(
          new DiscoveryError("lease_gone", `The lease ${this.id} is lost: its file was removed.`),
        );
      }
    }
  }

  #finish(): boolean {
    if (this.#over) return false;
    this.#over = true;
    clearInterval(this.#beat);
    return true;
  }
}
