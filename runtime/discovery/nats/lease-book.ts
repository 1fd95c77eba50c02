import { z } from "zod";
import type { Mirror } from "../mirror.ts";
import { isEntry, leaseIdIn } from "./keys.ts";

/** A change in a bucket. */
export interface Change {
  readonly name: string;
  /** Undefined where the key was deleted. */
  readonly value: string | undefined;
  readonly revision: number;
  /** When the server stored it, in milliseconds of its clock. */
  readonly storedAt: number;
}

/** An entry as it stands in its bucket: JSON in JSON, so that a foreign value harms nobody. */
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

/** A dead lease's entries are removed from the bucket after so long, in milliseconds. */
const REMOVE_AFTER_MS = 60_000;

/**
 * Judges by its readers which entries of a bucket count: NATS has no leases, so a holder rewrites its lease's key, and
 * who reads notices that it no longer does.
 */
export class LeaseBook {
  readonly #mirror: Mirror;
  readonly #onError: (error: Error) => void;
  readonly #entries = new Map<string, KnownEntry>();
  readonly #leases = new Map<string, KnownLease>();

  constructor(mirror: Mirror, onError: (error: Error) => void) {
    this.#mirror = mirror;
    this.#onError = onError;
  }

  /**
   * Replaces all that was known by what a new listing holds.
   * @param serverNow the server's clock at the end of the listing
   */
  replace(changes: readonly Change[], serverNow: number, now: number): void {
    const before = new Map(this.#leases);
    this.#entries.clear();
    this.#leases.clear();
    for (const change of changes) this.#note(change, now - Math.max(0, serverNow - change.storedAt));
    for (const [id, lease] of this.#leases) {
      // Its holder may only now be able to renew it again.
      if (before.get(id)?.isAlive) lease.seenAt = now;
      lease.isAlive = now - lease.seenAt <= lease.ttlMs;
    }
    const counting = [...this.#entries.values()].filter(({ leaseId }) => this.#counts(leaseId));
    this.#mirror.replace(new Map(counting.map(({ key, json }) => [key, json])));
  }

  apply(change: Change, now: number): void {
    const { name } = change;
    const before = this.#entries.get(name);
    const leaseId = leaseIdIn(name);
    const wasAlive = leaseId !== undefined && this.#leases.get(leaseId)?.isAlive === true;
    this.#note(change, now);
    if (leaseId !== undefined && wasAlive !== (this.#leases.get(leaseId)?.isAlive === true))
      this.#tell(leaseId);
    if (!isEntry(name)) return;
    const entry = this.#entries.get(name);
    if (entry !== undefined && this.#counts(entry.leaseId)) this.#mirror.put(entry.key, entry.json);
    else if (before !== undefined) this.#mirror.delete(before.key);
  }

  /** Every lease that lives has its whole time again: the server was away. */
  refresh(now: number): void {
    for (const lease of this.#leases.values()) if (lease.isAlive) lease.seenAt = now;
  }

  /** @param knownUntil all renewals until then have been heard */
  expire(knownUntil: number): void {
    for (const [id, lease] of this.#leases) {
      if (!lease.isAlive || knownUntil - lease.seenAt <= lease.ttlMs) continue;
      lease.isAlive = false;
      this.#tell(id);
    }
  }

  /** Names and revisions of what the long dead left behind. */
  remains(knownUntil: number): { name: string; revision: number }[] {
    return [...this.#entries].flatMap(([name, { leaseId, revision }]) => {
      if (leaseId === null) return [];
      const lease = this.#leases.get(leaseId);
      const isLongDead = lease !== undefined && knownUntil - lease.seenAt > lease.ttlMs + REMOVE_AFTER_MS;
      return isLongDead ? [{ name, revision }] : [];
    });
  }

  #counts(leaseId: string | null): boolean {
    return leaseId === null || this.#leases.get(leaseId)?.isAlive === true;
  }

  /** The lease's entries count from now on, or no longer. */
  #tell(leaseId: string): void {
    for (const entry of this.#entries.values()) {
      if (entry.leaseId !== leaseId) continue;
      if (this.#counts(leaseId)) this.#mirror.put(entry.key, entry.json);
      else this.#mirror.delete(entry.key);
    }
  }

  #note({ name, value, revision }: Change, seenAt: number): void {
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
