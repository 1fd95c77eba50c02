import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { installPython } from "./programs.ts";

/** In the order of the table. "nothing" means no proxy; "pipe" only copies bytes. */
export const CONTENDERS = ["nothing", "pipe", "vllm-router", "sglang-router", "stator"] as const;

export type ContenderName = (typeof CONTENDERS)[number];

/** A proxy's command line, given the engines' addresses and two free ports. */
export type Command = (urls: readonly string[], port: number, otherPort: number) => string[];

/**
 * Prepares a contender; undefined for "nothing".
 * @param ours the words of a command to use instead of `stator attach`
 * @throws Error if it cannot be installed
 */
export async function prepare(
  name: ContenderName,
  ours: readonly string[] | undefined,
): Promise<Command | undefined> {
  switch (name) {
    case "nothing":
      return undefined;
    case "pipe":
      return (urls, port) => [process.execPath, pathOf("servers/pipe.ts"), String(port), ...urls];
    case "vllm-router": {
      const program = join(await installPython("vllm-router", "0.1.17"), "vllm-router");
      return (urls, port, otherPort) => [program, ...rustRouter(urls, port, otherPort, "warning")];
    }
    case "sglang-router": {
      const python = join(await installPython("sglang-router", "0.3.2"), "python");
      const launch = [python, "-m", "sglang_router.launch_router"];
      return (urls, port, otherPort) => [...launch, ...rustRouter(urls, port, otherPort, "warn")];
    }
    case "stator": {
      const attach = [process.execPath, pathOf("../../cli/main.ts"), "attach", "{url}", "--port", "{port}"];
      return (urls, port) => fillIn(ours ?? attach, urls, port);
    }
  }
}

/** Options of both Rust routers: their defaults except for the log, which would cost them a line per request. */
const rustRouter = (urls: readonly string[], port: number, metricsPort: number, logLevel: string) => [
  ...["--host", "127.0.0.1", "--port", String(port), "--worker-urls", ...urls],
  ...[
    "--prometheus-port",
    String(metricsPort),
    "--log-level",
    logLevel,
    "--worker-startup-check-interval",
    "1",
  ],
];

export function fillIn(words: readonly string[], urls: readonly string[], port: number): string[] {
  return words.flatMap((word) => (word === "{url}" ? urls : [word.replace("{port}", String(port))]));
}

const pathOf = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
