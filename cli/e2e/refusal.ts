import { vi } from "vitest";
import { commands } from "../commands/index.ts";
import { failureOf } from "../failure.ts";

/**
 * What a command says that is refused before it starts anything, and therefore needs no process of its own; and its
 * exit code.
 * @throws Error where it is not refused
 */
export async function refusalOf(name: string, ...args: string[]): Promise<{ code: number; stderr: string }> {
  const command = await commands[name]!.load();
  // A command prepares to be stopped by signals, which here would be the tests' own.
  const listening = vi.spyOn(process, "on").mockReturnThis();
  const code = await command.run(args).catch(failureOf);
  listening.mockRestore();
  if (typeof code === "number") throw new Error(`stator ${name} was not refused; it ended with ${code}.`);
  return { code: code.exitCode, stderr: code.message };
}
