import type { Command } from "./command.ts";
import { gatewayCommand } from "./gateway.ts";
import { upCommand } from "./up.ts";
import { versionCommand } from "./version.ts";
import { workerCommand } from "./worker.ts";

export const commands: Record<string, Command | undefined> = {
  up: upCommand,
  gateway: gatewayCommand,
  worker: workerCommand,
  version: versionCommand,
};

export function usage(): string {
  const rows = Object.entries(commands).map(([name, command]) => `  ${name.padEnd(10)}${command?.summary}`);
  return `Usage: stator COMMAND [OPTIONS]

Serves language models behind one OpenAI-compatible address.

Commands:
${rows.join("\n")}

stator COMMAND --help tells a command's options.`;
}
