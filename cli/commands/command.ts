/** A subcommand of `stator`. */
export interface Command {
  /** Runs to the end; the exit code. */
  run(argv: readonly string[]): Promise<number>;
}
