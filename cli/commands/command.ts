import { optionsHelp } from "../options/help.ts";
import type { OptionSpecs } from "../options/spec.ts";

/** A subcommand of `stator`. */
export interface Command {
  /** The text of `stator COMMAND --help`. */
  help(): string;
  /** Runs to the end; the exit code. */
  run(argv: readonly string[]): Promise<number>;
}

/** The help of a command, made from its options. */
export function commandHelp(usageLine: string, text: string, specs: OptionSpecs): string {
  return `Usage: stator ${usageLine}

${text}

Options (also as STATOR_… variables, and in stator.yaml under the same names):
${optionsHelp(specs)}`;
}
