/**
 * Opens at the wanted port, or where that is 0 at a free one, which stays this one's when it is closed and opened
 * again: systems give connections and port 0 none from this range.
 * @throws what `open` throws: where the wanted port is taken, for one
 */
export async function openAtPort<T>(wanted: number, open: (port: number) => Promise<T>): Promise<T> {
  if (wanted !== 0) return open(wanted);
  for (let tries = 0; ; tries++) {
    try {
      return await open(FIRST + Math.floor(Math.random() * COUNT));
    } catch (error) {
      if (tries === 100 || !isTaken(error)) throw error;
    }
  }
}

const FIRST = 20_000;
/** Below 32,768, where Linux begins to give ports; others begin higher still. */
const COUNT = 12_000;

function isTaken(error: unknown): boolean {
  return error instanceof Error && (("code" in error && error.code === "EADDRINUSE") || isTaken(error.cause));
}
