/** An invalid command line; the message says what is wrong. */
export class UsageError extends Error {}

/**
 * Calls a parser such as `parseArgs`, whose errors are the user's mistakes.
 * @throws UsageError
 */
export function asUsage<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** @throws UsageError if `text`, given as `--name`, is not an integer from `least` to `most` */
export function integer(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isInteger(value) && value >= least && value <= most) return value;
  throw new UsageError(`--${name} must be an integer from ${least} to ${most}, not '${text}'.`);
}

/**
 * Runs a benchmark's command. Prints the help if requested; for an invalid command line, prints the error and the help,
 * and sets exit code 2.
 * @param readOptions returns undefined if help is requested
 */
export async function runCommand<Options>(
  help: string,
  readOptions: () => Options | undefined,
  run: (options: Options) => Promise<void>,
): Promise<void> {
  try {
    const options = readOptions();
    if (options === undefined) process.stdout.write(help);
    else await run(options);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n\n${help}`);
    process.exitCode = 2;
  }
}

/** Shows progress in one line that is overwritten, on terminals only. */
export function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
