import { nearest } from "#runtime";
import { commands, usage } from "./commands/index.ts";

/** Runs the `stator` command; the exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    console.log(usage());
    return 0;
  }
  if (name === "version" || name === "--version" || name === "-v")
    return (await commands.version!.load()).run([]);
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (entry === undefined) {
    const suggestion = nearest(name, Object.keys(commands));
    console.error(
      `There is no command '${name}'.${suggestion ? ` Did you mean '${suggestion}'?` : ""}\n\n${usage()}`,
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
