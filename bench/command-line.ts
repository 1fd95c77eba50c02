/** The command line was wrong; the message says what and how. */
export class UsageError extends Error {}

/**
 * Calls `parseArgs` and the like: what they throw is the user's mistake.
 * @throws UsageError
 */
export function asUsage<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** @throws UsageError where `text`, given as `--name`, is no whole number from `least` to `most` */
export function integer(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isInteger(value) && value >= least && value <= most) return value;
  throw new UsageError(`--${name} takes whole numbers from ${least} to ${most}, not '${text}'.`);
}

/**
 * Runs a benchmark's command: prints its help where it is asked for, and for a wrong command line the fault, the
 * help, and exit code 2.
 * @param readOptions undefined asks for help
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

/** One line that is written over, for people only. */
export function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
