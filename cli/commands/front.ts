import { type FrontChannel, IpcChannel, startNodeFront } from "#gateway";
import { createLogger } from "#runtime";
import { manageLifecycle, openDiscovery } from "#runtime/node";
import type { FrontSettings, StartMessage } from "../attach/fronts.ts";
import { beat } from "../attach/heartbeat.ts";
import { UsageError } from "../options/read.ts";
import { logged } from "../service.ts";
import { settleHeap } from "../settle-heap.ts";
import { tellSupervisor } from "../supervisor-link.ts";
import type { Command } from "./command.ts";

/** Time after the drain for everything else that a shutdown does, in milliseconds. */
const AFTER_DRAIN_MS = 5_000;

/** One of several processes that serve a gateway's port; `stator attach --processes N` starts them. */
export const frontCommand: Command = {
  async run() {
    if (!process.connected)
      throw new UsageError("stator front is started by the commands with --processes N.");
    const { promise, resolve } = Promise.withResolvers<FrontSettings>();
    process.on("message", (message: StartMessage) => {
      if (message.type === "start") resolve(message.settings);
    });
    const channel: FrontChannel = new IpcChannel(process);
    const settings = await promise;
    const { name, logLevel, logFormat } = settings;
    return logged(name, { "log-level": logLevel, "log-format": logFormat }, () =>
      serveFront(settings, channel),
    );
  },
};

async function serveFront(
  { name, logLevel, logFormat, drainMs, discoveryUrl, ...listening }: FrontSettings,
  channel: FrontChannel,
): Promise<number> {
  const log = createLogger({ name, level: logLevel, format: logFormat });
  const lifecycle = manageLifecycle({ log, deadlineMs: drainMs + AFTER_DRAIN_MS, supervised: true });
  const discovery = discoveryUrl === undefined ? undefined : await openDiscovery(discoveryUrl);
  const front = await startNodeFront({ ...listening, discovery, log }, channel);
  process.once("disconnect", () => front.onRouterGone());
  lifecycle.onShutdown("drain requests", () => front.drain(drainMs));
  lifecycle.onShutdown("leave discovery", async () => discovery?.close());
  beat();
  tellSupervisor({ type: "ready", url: String(front.port) });
  settleHeap();
  return new Promise<never>(() => {});
}
