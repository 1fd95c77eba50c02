/** Error codes of a stream that exists meanwhile: its name is in use, or its subjects are. */
const EXISTS: ReadonlySet<unknown> = new Set([10_058, 10_065]);
/** The subjects may also be those of another stream for good. */
const ATTEMPTS = 10;
const RETRY_MS = 50;

/**
 * Looks for a stream and creates it if it is missing, again if another process has created it in between.
 * @throws what `open` throws
 */
export async function amongOthers<Stream>(open: () => Promise<Stream>): Promise<Stream> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await open();
    } catch (error) {
      if (attempt === ATTEMPTS || !EXISTS.has(Reflect.get(Object(error), "code"))) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}
