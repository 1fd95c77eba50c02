import { type AcceptorChannel, IpcChannel, startNodeAcceptor } from "#gateway";
import { createLogger } from "#runtime";
import { manageLifecycle, openDiscovery } from "#runtime/node";
import { UsageError } from "../options/read.ts";
import type { AcceptorSettings, StartMessage } from "../processes/acceptors.ts";
import { beat } from "../processes/heartbeat.ts";
import { logged } from "../service.ts";
import { settleHeap } from "../settle-heap.ts";
import { notifySupervisor } from "../supervisor-link.ts";
import type { Command } from "./command.ts";

/** Time after the drain for the rest of a shutdown, in milliseconds. */
const AFTER_DRAIN_MS = 5_000;

/** One of several processes that serve a gateway's port; `stator attach --processes N` starts them. */
export const acceptorCommand: Command = {
  async run() {
    if (!process.connected)
      throw new UsageError("stator acceptor is internal: use --processes N of attach, gateway or up.");
    const { promise, resolve } = Promise.withResolvers<AcceptorSettings>();
    process.on("message", (message: StartMessage) => {
      if (message.type === "start") resolve(message.settings);
    });
    const channel: AcceptorChannel = new IpcChannel(process);
    const settings = await promise;
    const { name, logLevel, logFormat } = settings;
    return logged(name, { "log-level": logLevel, "log-format": logFormat }, () =>
      serveAcceptor(settings, channel),
    );
  },
};

async function serveAcceptor(
  { name, logLevel, logFormat, drainMs, discoveryUrl, drainWithinMs, ...listening }: AcceptorSettings,
  channel: AcceptorChannel,
): Promise<number> {
  const log = createLogger({ name, level: logLevel, format: logFormat });
  const lifecycle = manageLifecycle({ log, deadlineMs: drainMs + AFTER_DRAIN_MS, supervised: true });
  const discovery =
    discoveryUrl === undefined
      ? undefined
      : await openDiscovery(discoveryUrl, { workerTls: listening.workerPlane?.tls, drainWithinMs });
  const acceptor = await startNodeAcceptor({ ...listening, discovery, log }, channel);
  process.once("disconnect", () => acceptor.onRouterGone());
  lifecycle.onShutdown("drain requests", () => acceptor.drain(drainMs));
  lifecycle.onShutdown("leave discovery", async () => discovery?.close());
  beat();
  notifySupervisor({ type: "ready", url: String(acceptor.port) });
  settleHeap();
  return new Promise<never>(() => {});
}
