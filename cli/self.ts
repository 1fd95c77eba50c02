import { fileURLToPath } from "node:url";

/** Whether this process is the executable. */
export const isExecutable = process.getBuiltinModule?.("node:sea")?.isSea() ?? false;

/** The arguments with which Node, or the executable, runs another `stator` command. */
export const ownArguments = (args: readonly string[]): string[] =>
  isExecutable ? [...args] : [fileURLToPath(new URL("./main.ts", import.meta.url)), ...args];
