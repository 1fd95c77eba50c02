import { openDiscovery } from "#runtime/node";
import { startEchoWorker } from "./echo-worker.ts";
import { answerParent } from "./parent-link.ts";

export interface WorkerStart {
  discovery: string;
  listen: string;
  echoDelayMs: number;
}

answerParent({
  async start({ discovery, listen, echoDelayMs }: WorkerStart): Promise<void> {
    await startEchoWorker(await openDiscovery(discovery), listen, echoDelayMs);
  },
});
