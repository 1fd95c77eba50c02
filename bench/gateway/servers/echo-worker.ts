import { createLogger, type Discovery } from "#runtime";
import { loadWorker, startWorker } from "#workers";

export const log = createLogger({ name: "bench", level: "warn" });

/** Serves the echo engine at `listen`. */
export async function startEchoWorker(discovery: Discovery, listen: string, delayMs: number): Promise<void> {
  await startWorker({
    definition: await loadWorker("echo"),
    engineOptions: { delayMs },
    threads: 1,
    discovery,
    namespace: "bench",
    name: "echo-0",
    listen,
    opsPort: 0,
    log,
  });
}
