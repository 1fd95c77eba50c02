import type { Instance, RequestPlaneClient } from "#runtime";
import type { RoutedWorker } from "../../routing/workers.ts";

/** What answers a model's requests: a Stator worker, or one model of an attached engine. */
export interface Member extends RoutedWorker {
  readonly kind: "worker" | "engine";
  /** For display. */
  readonly state: string;
  /** Other names of its model. */
  readonly aliases: readonly string[];
  /** LoRA adapters on its model, by the names that requests give. */
  readonly adapters: readonly string[];
  /** Longest prompt plus answer in tokens, if known. */
  readonly contextLength: number | undefined;
  /** When its model was created, in seconds since the epoch, if known. */
  readonly created: number | undefined;
  /** Whether its cache is predicted from the requests sent to it, because it sends no KV events. */
  readonly isPredicted: boolean;
  /** Notified when checks find that it no longer answers. */
  readonly hangs: RequestListeners;
  /** Notified, repeatedly, when its requests should move to other members, because it is leaving. */
  readonly evictions: RequestListeners;
  /** Its share of requests, 0 to 1: below 1 during slow start. */
  shareAt(now: number): number;
  /** A request was answered, or its client disconnected during the answer. */
  reportSuccess(): void;
  /**
   * A request failed because of the member.
   * @param isUnreachable whether it could not be connected to
   */
  reportFailure(reason: string, isUnreachable: boolean): void;
  /** Subscribes to its KV events from the start, because none have been kept so far. */
  followEvents(): void;
  /** Notes KV events that cannot be read. @param what the problem, as a clause */
  noteUnreadable(what: string): void;
  /** Records the block size in its KV events. */
  noteBlockSize(tokens: number): void;
}

/** Listeners of requests on events of their member. */
export class RequestListeners {
  readonly #listeners = new Set<(reason: string) => void>();

  /** @returns removes the listener */
  add(listener: (reason: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  notify(reason: string): void {
    for (const listener of [...this.#listeners]) listener(reason);
  }
}

/** A Stator worker, which receives tokens over the request plane. */
export interface WorkerMember extends Member {
  readonly kind: "worker";
  readonly instance: Instance;
  /** Undefined while it is not connected. */
  readonly client: RequestPlaneClient | undefined;
}
