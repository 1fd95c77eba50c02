import { nearest } from "#runtime";
import { commands, usage } from "./commands/index.ts";
import { UsageError } from "./options/read.ts";

/** The `stator` command. */
async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    console.log(usage());
    return 0;
  }
  if (name === "version" || name === "--version" || name === "-v") return commands.version!.run([]);
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    const suggestion = nearest(name, Object.keys(commands));
    console.error(
      `There is no command '${name}'.${suggestion ? ` Did you mean '${suggestion}'?` : ""}\n\n${usage()}`,
    );
    return 2;
  }
  if (rest.includes("--help") || rest.includes("-h")) {
    console.log(command.help());
    return 0;
  }
  return command.run(rest);
}

main(process.argv.slice(2)).then(
  // A command that has ended may have left handles open, such as the channel to its supervisor.
  (exitCode) => process.exit(exitCode),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error));
    if (process.argv.includes("--log-level=debug") && error instanceof Error) console.error(error.stack);
    process.exit(error instanceof UsageError ? 2 : 1);
  },
);
