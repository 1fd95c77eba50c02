import type { Command } from "./command.ts";

export interface CommandEntry {
  /** One line for the list of commands; undefined for an internal one. */
  readonly summary: string | undefined;
  /** Loads the command with its dependencies, and no others. */
  load(): Promise<Command>;
}

export type Commands = Readonly<Record<string, CommandEntry | undefined>>;

/** The text of `stator --help`. */
export function usage(commands: Commands): string {
  const rows = Object.entries(commands).flatMap(([name, command]) =>
    command?.summary === undefined ? [] : [`  ${name.padEnd(10)}${command.summary}`],
  );
  return `Usage: stator COMMAND [OPTIONS]

Serves language models behind one OpenAI-compatible address.

Commands:
${rows.join("\n")}

stator COMMAND --help lists a command's options.`;
}
