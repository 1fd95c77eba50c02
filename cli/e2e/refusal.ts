import { vi } from "vitest";
import { commands } from "../commands/index.ts";
import { failureOf } from "../failure.ts";

/**
 * Runs a command that fails before it starts anything, and so needs no separate process.
 * @returns its message and its exit code
 * @throws Error if it does not fail
 */
export async function refusalOf(name: string, ...args: string[]): Promise<{ code: number; stderr: string }> {
  const command = await commands[name]!.load();
  // A command installs signal handlers, which here would be those of the test process.
  const listening = vi.spyOn(process, "on").mockReturnThis();
  const code = await command.run(args).catch(failureOf);
  listening.mockRestore();
  if (typeof code === "number") throw new Error(`stator ${name} was not refused; it ended with ${code}.`);
  return { code: code.exitCode, stderr: code.message };
}
