import type { Instance, RequestPlaneClient } from "#runtime";
import type { RoutedWorker } from "../../routing/workers.ts";

/** Who answers a model's requests: a worker of Stator's, or one model of an attached engine. */
export interface Member extends RoutedWorker {
  readonly kind: "worker" | "engine";
  /** For people. */
  readonly state: string;
  /** Further names of its model. */
  readonly aliases: readonly string[];
  /** LoRA adapters on its model, by the names that requests give. */
  readonly adapters: readonly string[];
  /** Longest prompt plus answer in tokens, where that is known. */
  readonly contextLength: number | undefined;
  /** When its model was made, in seconds since the epoch, where it tells. */
  readonly created: number | undefined;
  /** Whether what it holds is known from what it is sent alone, as it sends no KV events. */
  readonly isPredicted: boolean;
  /** Told when checks have found that it answers nothing any more. */
  readonly hangs: HangListeners;
  /** What share of its requests it gets, 0 to 1: less than all for a while after it has come. */
  shareAt(now: number): number;
  /** A request has had its answer, or as much of it as its client waited for. */
  reportSuccess(): void;
  /**
   * A request failed by the member's fault.
   * @param isUnreachable whether not even a connection came about
   */
  reportFailure(reason: string, isUnreachable: boolean): void;
  /** Asks for its KV events from the start: none have been kept until now. */
  followEvents(): void;
  /** Something in its KV events cannot be read. @param what is wrong with it, as half a sentence */
  noteUnreadable(what: string): void;
  /** Its KV events have shown how many tokens its blocks have. */
  noteBlockSize(tokens: number): void;
}

/** Requests that wait for an engine's first byte, and want to know when it answers nothing any more. */
export class HangListeners {
  readonly #listeners = new Set<(reason: string) => void>();

  /** @returns ends it */
  add(listener: (reason: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  tell(reason: string): void {
    for (const listener of [...this.#listeners]) listener(reason);
  }
}

/** A worker of Stator's, which is sent tokens over the request plane. */
export interface WorkerMember extends Member {
  readonly kind: "worker";
  readonly instance: Instance;
  /** Undefined while it is not connected. */
  readonly client: RequestPlaneClient | undefined;
}
