import { endProcess, nearest } from "#runtime";
import { type Commands, usage } from "./commands/usage.ts";

/** Runs the `stator` command, one of these; the exit code. */
export async function run(argv: readonly string[], commands: Commands): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    console.log(usage(commands));
    return 0;
  }
  if (name === "version" || name === "--version" || name === "-v")
    return (await commands.version!.load()).run([]);
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (entry === undefined) {
    const suggestion = nearest(name, Object.keys(commands));
    console.error(
      `There is no command '${name}'.${suggestion ? ` Did you mean '${suggestion}'?` : ""}\n\n${usage(commands)}`,
    );
    return 2;
  }
  const command = await entry.load();
  if (rest.includes("--help") || rest.includes("-h")) {
    console.log(command.help());
    return 0;
  }
  return command.run(rest);
}

/** The same, and ends the process. */
export function runToExit(argv: readonly string[], commands: Commands): void {
  run(argv, commands).then(
    // A command that has ended may have left handles open, such as the channel to its supervisor.
    (exitCode) => endProcess(exitCode),
    (error: unknown) => {
      console.error(error instanceof Error ? error.message : String(error));
      if (argv.includes("--log-level=debug") && error instanceof Error) console.error(error.stack);
      return endProcess(error instanceof Error && error.name === "UsageError" ? 2 : 1);
    },
  );
}
