import type { Llama } from "node-llama-cpp";
import { callMember, member } from "./internals.ts";

/** Threads for one computation. */
export interface ThreadShare {
  readonly threads: number;
  free(): void;
}

/** Something that computes again and again. */
export interface ThreadConsumer {
  /** Waits for threads, of which it may get fewer than it wants while others compute. */
  take(): Promise<ThreadShare>;
  /** It wants no more. */
  leave(): void;
}

/**
 * Threads of llama.cpp for what node-llama-cpp does not compute. Its threads spin while they wait for each other, so where
 * there are more of them than cores, a step takes some fifty times as long. node-llama-cpp (3.22) divides its threads among
 * its own contexts; what does that is not public.
 */
export class ThreadShares {
  readonly #splitter: unknown;

  constructor(llama: Llama) {
    this.#splitter = member(llama, "_threadsSplitter");
  }

  /**
   * @param wanted threads
   * @throws Error if node-llama-cpp has another way to divide them
   */
  consumer(wanted: number): ThreadConsumer {
    const consumer = callMember(this.#splitter, "createConsumer", [wanted, 1], UNKNOWN);
    return {
      async take() {
        const allocated: unknown = await callMember(consumer, "getAllocationToConsume", [], UNKNOWN);
        const [threads, handle]: unknown[] = Array.isArray(allocated) ? allocated : [];
        if (typeof threads !== "number") throw new Error(UNKNOWN);
        return { threads, free: () => void callMember(handle, "dispose", [], UNKNOWN) };
      },
      leave: () => void callMember(consumer, "dispose", [], UNKNOWN),
    };
  }
}

const UNKNOWN = "This version of node-llama-cpp divides its threads in another way.";
