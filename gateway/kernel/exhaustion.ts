/** System errors for exhausted local resources: open files, ports, buffers or memory. */
const CODES = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EADDRNOTAVAIL"]);
const DEPTH = 5;

/** Whether an error or its cause is an exhausted resource of this process or machine, and not a peer's fault. */
export function isLocalExhaustion(error: unknown): boolean {
  let cause = error;
  for (let depth = 0; depth < DEPTH && cause instanceof Error; depth++) {
    if ("code" in cause && CODES.has(String(cause.code))) return true;
    const [first] = cause instanceof AggregateError ? cause.errors : [];
    cause = first ?? cause.cause;
  }
  return false;
}
