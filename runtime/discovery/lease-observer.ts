import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { type LeaseRecord, leaseRecordSchema } from "./file-lease.ts";
import type { FileStore } from "./file-store.ts";
import { isMissing } from "./file-store.ts";
import { hostIdentity, isProcessAlive } from "./process-identity.ts";

/**
 * - `alive`: its entries are valid
 * - `doubtful`: its entries are hidden for now, but not removed yet
 * - `dead`: its entries can be removed
 */
export type LeaseState = "alive" | "doubtful" | "dead";

interface Observation {
  record: LeaseRecord;
  /** The holder's last heartbeat, as the file's modification time; only compared for changes. */
  life: number;
  /** When this process saw it, on its monotonic clock, which stops while the machine sleeps. */
  seenAt: number;
  /** Whether the heartbeat was already too old when first seen, by the wall clock, which may be wrong. */
  stale: boolean;
}

/** Determines from outside whether lease holders are alive. */
export class LeaseObserver {
  readonly #store: FileStore;
  readonly #observations = new Map<string, Observation>();

  constructor(store: FileStore) {
    this.#store = store;
  }

  async state(leaseId: string): Promise<LeaseState> {
    const observation = await this.#observe(leaseId);
    if (typeof observation === "string") return observation;
    const { record, seenAt, stale } = observation;
    if (record.host === hostIdentity && !isProcessAlive(record.pid, record.start)) return "dead";
    if (performance.now() - seenAt > record.ttlMs) return "dead";
    return stale ? "doubtful" : "alive";
  }

  forget(leaseId: string): void {
    this.#observations.delete(leaseId);
  }

  async #observe(leaseId: string): Promise<Observation | LeaseState> {
    const path = join(this.#store.leases, leaseId);
    try {
      const life = (await stat(path)).mtimeMs;
      const known = this.#observations.get(leaseId);
      if (known?.life === life) return known;
      const record = known?.record ?? leaseRecordSchema.parse(JSON.parse(await readFile(path, "utf8")));
      const stale = !known && Date.now() - life > record.ttlMs;
      const observation = { record, life, seenAt: performance.now(), stale };
      this.#observations.set(leaseId, observation);
      return observation;
    } catch (error) {
      this.#observations.delete(leaseId);
      // A file that is unreadable or not a lease keeps nothing alive, but is not ours to remove.
      return isMissing(error) ? "dead" : "doubtful";
    }
  }
}
