import { vi } from "vitest";
import { commands } from "../../commands/index.ts";

/** Runs `stator keys` with a file, in this process. @returns its output */
export async function keys(file: string, ...args: string[]): Promise<string> {
  const command = await commands.keys!.load();
  const lines: string[] = [];
  const output = vi.spyOn(console, "log").mockImplementation((line) => void lines.push(line));
  const notes = vi.spyOn(console, "error").mockImplementation(() => {});
  try {
    await command.run([...args, `--keys=${file}`, "--config=none"]);
    return lines.join("\n");
  } finally {
    output.mockRestore();
    notes.mockRestore();
  }
}
