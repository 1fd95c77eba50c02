/**
 * Opens at the wanted port; 0 stands for a free one from a range that the system uses neither for connections nor for
 * port 0, so that it can be closed and opened again.
 * @throws what `open` throws, for example if the wanted port is taken
 */
export async function openAtPort<T>(wanted: number, open: (port: number) => Promise<T>): Promise<T> {
  if (wanted !== 0) return open(wanted);
  for (let attempt = 0; ; attempt++) {
    try {
      return await open(FIRST + Math.floor(Math.random() * COUNT));
    } catch (error) {
      if (attempt === 100 || !isTaken(error)) throw error;
    }
  }
}

const FIRST = 20_000;
/** Ends below 32,768, where Linux's ephemeral ports begin; other systems' begin higher still. */
const COUNT = 12_000;

function isTaken(error: unknown): boolean {
  return error instanceof Error && (("code" in error && error.code === "EADDRINUSE") || isTaken(error.cause));
}
