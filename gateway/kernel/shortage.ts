/** Codes of system errors that are this process's or machine's own: no files, ports, buffers or memory left. */
const CODES = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EADDRNOTAVAIL"]);
const DEPTH = 5;

/** Whether an error, or what caused it, is a shortage of this process or machine, which no peer is to blame for. */
export function isOwnShortage(error: unknown): boolean {
  let cause = error;
  for (let depth = 0; depth < DEPTH && cause instanceof Error; depth++) {
    if ("code" in cause && CODES.has(String(cause.code))) return true;
    const [first] = cause instanceof AggregateError ? cause.errors : [];
    cause = first ?? cause.cause;
  }
  return false;
}
