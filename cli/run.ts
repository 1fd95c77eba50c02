import { type Commands, usage } from "./commands/usage.ts";
import { failureOf } from "./failure.ts";

/** Flags that ask for help. */
const HELP = ["--help", "-h"];

/**
 * Runs the `stator` command. Returns the exit code, or undefined after printing help, which loads no command.
 */
async function run(argv: readonly string[], commands: Commands): Promise<number | undefined> {
  const [name, ...rest] = argv;
  if (name === undefined || name === "help" || HELP.includes(name)) return print(usage(commands));
  if (name === "version" || name === "--version" || name === "-v")
    return (await commands.version!.load()).run([]);
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (entry === undefined) {
    const { nearest } = await import("#runtime");
    const suggestion = nearest(name, Object.keys(commands));
    console.error(
      `There is no command '${name}'.${suggestion ? ` Did you mean '${suggestion}'?` : ""}\n\n${usage(commands)}`,
    );
    return 2;
  }
  if (rest.some((word) => HELP.includes(word))) {
    const { commandHelp } = await import("./commands/help.ts");
    return print(commandHelp[name]?.(rest) ?? usage(commands));
  }
  return (await entry.load()).run(rest);
}

/** Runs the `stator` command and exits the process. */
export function runToExit(argv: readonly string[], commands: Commands): void {
  run(argv, commands).then(exit, (error: unknown) => {
    const { message, exitCode } = failureOf(error);
    console.error(message);
    if (argv.includes("--log-level=debug") && error instanceof Error) console.error(error.stack);
    return exit(exitCode);
  });
}

/** Exits explicitly: a finished command may have left handles open, such as the channel to its supervisor. */
async function exit(exitCode: number | undefined): Promise<void> {
  if (exitCode === undefined) return;
  const { endProcess } = await import("#runtime/node");
  await endProcess(exitCode);
}

function print(text: string): undefined {
  console.log(text);
}
