/** Tells a thread that computes, and therefore reads no messages, that its request is cancelled. */
export interface CancelFlag {
  /** Shared with the thread; its first number is 1 when the request is cancelled. */
  readonly shared: Int32Array;
  /** Stops listening to the signal. */
  release(): void;
}

/** A flag that is raised when the signal is aborted. */
export function cancelFlag(signal: AbortSignal): CancelFlag {
  const shared = new Int32Array(new SharedArrayBuffer(4));
  const onAbort = () => Atomics.store(shared, 0, 1);
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  return { shared, release: () => signal.removeEventListener("abort", onAbort) };
}

/** Whether the request is cancelled; for the thread. */
export const isRaised = (shared: Int32Array): boolean => Atomics.load(shared, 0) === 1;
