import type { Command } from "./command.ts";

export interface CommandEntry {
  /** One line for the list of commands. */
  readonly summary: string;
  /** Loads the command and what it needs; the others stay where they are. */
  load(): Promise<Command>;
}

export const commands: Record<string, CommandEntry | undefined> = {
  up: {
    summary: "Start everything on this machine: a gateway, a router and workers with a model.",
    load: async () => (await import("./up.ts")).upCommand,
  },
  attach: {
    summary: "Serve engines that already run (vLLM, SGLang, …) at one KV-aware address.",
    load: async () => (await import("./attach.ts")).attachCommand,
  },
  doctor: {
    summary: "Prove that engines can be routed to by what their caches hold, or say what is wrong.",
    load: async () => (await import("./doctor.ts")).doctorCommand,
  },
  gateway: {
    summary: "Run a gateway for workers that discovery finds.",
    load: async () => (await import("./gateway.ts")).gatewayCommand,
  },
  keys: {
    summary: "Make, list, change and revoke the API keys of a gateway.",
    load: async () => (await import("./keys.ts")).keysCommand,
  },
  worker: {
    summary: "Run one worker: an engine, served to gateways through discovery.",
    load: async () => (await import("./worker.ts")).workerCommand,
  },
  version: {
    summary: "Print Stator's version.",
    load: async () => (await import("./version.ts")).versionCommand,
  },
};

export function usage(): string {
  const rows = Object.entries(commands).map(([name, command]) => `  ${name.padEnd(10)}${command?.summary}`);
  return `Usage: stator COMMAND [OPTIONS]

Serves language models behind one OpenAI-compatible address.

Commands:
${rows.join("\n")}

stator COMMAND --help tells a command's options.`;
}
