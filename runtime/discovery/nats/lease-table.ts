import { z } from "zod";
import type { Mirror } from "../mirror.ts";
import { isEntry, leaseIdIn } from "./keys.ts";

/** A change in a bucket. */
export interface Change {
  readonly name: string;
  /** Undefined if the key was deleted. */
  readonly value: string | undefined;
  readonly revision: number;
  /** When the server stored it, in milliseconds on its clock. */
  readonly storedAt: number;
}

/** An entry's value in its bucket: JSON in JSON, so that other programs' values are recognized. */
const entrySchema = z.object({ key: z.string(), lease: z.string().nullable(), json: z.string() });
const leaseSchema = z.object({ ttlMs: z.number().positive() });

export const entryValue = (entry: z.infer<typeof entrySchema>): string => JSON.stringify(entry);
export const leaseValue = (ttlMs: number): string => JSON.stringify({ ttlMs });

interface KnownEntry {
  readonly key: string;
  readonly leaseId: string | null;
  readonly json: string;
  readonly revision: number;
}

interface KnownLease {
  readonly ttlMs: number;
  /** When it was last renewed, on this process's clock. */
  seenAt: number;
  isAlive: boolean;
}

/** How long after a lease's expiry its entries are removed from the bucket, in milliseconds. */
const REMOVE_AFTER_MS = 60_000;

/**
 * Tracks which entries of a bucket are valid. NATS has no leases, so a holder rewrites its lease's key at intervals,
 * and readers notice when it stops.
 */
export class LeaseTable {
  readonly #mirror: Mirror;
  readonly #onError: (error: Error) => void;
  readonly #entries = new Map<string, KnownEntry>();
  readonly #leases = new Map<string, KnownLease>();

  constructor(mirror: Mirror, onError: (error: Error) => void) {
    this.#mirror = mirror;
    this.#onError = onError;
  }

  /**
   * Replaces the contents with a new listing.
   * @param serverNow the server's clock at the end of the listing
   */
  replace(changes: readonly Change[], serverNow: number, now: number): void {
    const before = new Map(this.#leases);
    this.#entries.clear();
    this.#leases.clear();
    for (const change of changes) this.#record(change, now - Math.max(0, serverNow - change.storedAt));
    for (const [id, lease] of this.#leases) {
      // Its holder may have been unable to renew it until now.
      if (before.get(id)?.isAlive) lease.seenAt = now;
      lease.isAlive = now - lease.seenAt <= lease.ttlMs;
    }
    const valid = [...this.#entries.values()].filter(({ leaseId }) => this.#isValid(leaseId));
    this.#mirror.replace(new Map(valid.map(({ key, json }) => [key, json])));
  }

  apply(change: Change, now: number): void {
    const { name } = change;
    const before = this.#entries.get(name);
    const leaseId = leaseIdIn(name);
    const wasAlive = leaseId !== undefined && this.#leases.get(leaseId)?.isAlive === true;
    this.#record(change, now);
    if (leaseId !== undefined && wasAlive !== (this.#leases.get(leaseId)?.isAlive === true))
      this.#publishLease(leaseId);
    if (!isEntry(name)) return;
    const entry = this.#entries.get(name);
    if (entry !== undefined && this.#isValid(entry.leaseId)) this.#mirror.put(entry.key, entry.json);
    else if (before !== undefined) this.#mirror.delete(before.key);
  }

  /** Restarts the TTL of every live lease, after an outage of the server. */
  refresh(now: number): void {
    for (const lease of this.#leases.values()) if (lease.isAlive) lease.seenAt = now;
  }

  /** @param knownUntil all renewals up to this time have been received */
  expire(knownUntil: number): void {
    for (const [id, lease] of this.#leases) {
      if (!lease.isAlive || knownUntil - lease.seenAt <= lease.ttlMs) continue;
      lease.isAlive = false;
      this.#publishLease(id);
    }
  }

  /** Names and revisions of the entries of leases that expired long ago. */
  expiredEntries(knownUntil: number): { name: string; revision: number }[] {
    return [...this.#entries].flatMap(([name, { leaseId, revision }]) => {
      if (leaseId === null) return [];
      const lease = this.#leases.get(leaseId);
      const isLongDead = lease !== undefined && knownUntil - lease.seenAt > lease.ttlMs + REMOVE_AFTER_MS;
      return isLongDead ? [{ name, revision }] : [];
    });
  }

  #isValid(leaseId: string | null): boolean {
    return leaseId === null || this.#leases.get(leaseId)?.isAlive === true;
  }

  /** The lease's entries have become valid or invalid: updates the mirror. */
  #publishLease(leaseId: string): void {
    for (const entry of this.#entries.values()) {
      if (entry.leaseId !== leaseId) continue;
      if (this.#isValid(leaseId)) this.#mirror.put(entry.key, entry.json);
      else this.#mirror.delete(entry.key);
    }
  }

  #record({ name, value, revision }: Change, seenAt: number): void {
    const leaseId = leaseIdIn(name);
    try {
      if (leaseId !== undefined) {
        if (value === undefined) this.#leases.delete(leaseId);
        else this.#leases.set(leaseId, { ...leaseSchema.parse(JSON.parse(value)), seenAt, isAlive: true });
      } else if (isEntry(name)) {
        this.#entries.delete(name);
        if (value === undefined) return;
        const { key, lease, json } = entrySchema.parse(JSON.parse(value));
        this.#entries.set(name, { key, leaseId: lease, json, revision });
      }
    } catch {
      this.#onError(new Error(`The value of "${name}" in NATS is not Stator's, and was skipped.`));
    }
  }
}
