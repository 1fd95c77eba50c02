/**
 * Opens at the wanted port; 0 stands for a free one from a range that the system uses neither for connections nor for
 * port 0, so that it can be closed and opened again. A process does not get the same one twice: its clients may still
 * have connections to the server that was there.
 * @throws what `open` throws, for example if the wanted port is taken
 */
export async function openAtPort<T>(wanted: number, open: (port: number) => Promise<T>): Promise<T> {
  if (wanted !== 0) return open(wanted);
  for (let attempt = 0; ; attempt++) {
    try {
      next = (next + 1) % COUNT;
      return await open(FIRST + next);
    } catch (error) {
      if (attempt === 100 || !isTaken(error)) throw error;
    }
  }
}

const FIRST = 20_000;
/** Ends below 32,768, where Linux's ephemeral ports begin; other systems' begin higher still. */
const COUNT = 12_000;
/** Processes begin at different places. */
let next = Math.floor(Math.random() * COUNT);

function isTaken(error: unknown): boolean {
  return error instanceof Error && (("code" in error && error.code === "EADDRINUSE") || isTaken(error.cause));
}
