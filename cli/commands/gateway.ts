import { randomId } from "#runtime";
import { readOptions } from "../options/read.ts";
import type { OptionValues } from "../options/spec.ts";
import { gatewayOptions } from "../options/tables.ts";
import { logged, openService, serveUntilStopped } from "../service.ts";
import { isSupervised, notifySupervisor, supervisedName } from "../supervisor-link.ts";
import { startProcesses } from "./acceptor-settings.ts";
import { requestSettings } from "./attach-settings.ts";
import type { Command } from "./command.ts";
import { openGatewayEvents } from "./events-settings.ts";
import { modelNames } from "./name-settings.ts";
import { peerPlace, workerPlane } from "./plane-settings.ts";
import { kvEventsKey } from "./privacy-settings.ts";

export const gatewayCommand: Command = {
  async run(argv) {
    const { options } = readOptions(gatewayOptions, argv, process.env);
    // `stator up --cluster` has two.
    const name = supervisedName() ?? "gateway";
    return logged(name, options, () => serveGateway(name, options));
  },
};

async function serveGateway(name: string, options: OptionValues<typeof gatewayOptions>): Promise<number> {
  const names = modelNames(options);
  const plane = await workerPlane(options);
  const peerPlane = await peerPlace(options, plane.tls);
  const eventsKey = kvEventsKey(options);
  const service = await openService(name, options, { workerTls: plane.tls });
  const kvEventStream = await openGatewayEvents(options, service.log);
  const shared = {
    id: randomId(),
    tokenizers: new Map(),
    modelNames: names,
    requestOptions: requestSettings(options),
    discoveryUrl: options.discovery,
    drainWithinMs: options["drain-within"] * 1000,
    workerPlane: plane,
  };
  const gateway = await startProcesses(options, service, shared, {
    peerPlane,
    kvEventsKey: eventsKey,
    kvEventStream,
  });
  const { url } = gateway;
  // Under a supervisor, the supervisor announces the address.
  service.log[isSupervised() ? "debug" : "info"]("listening", { url });
  notifySupervisor({ type: "ready", url });
  return serveUntilStopped(service, options, {
    beginDrain: () => gateway.beginDrain(),
    async drain(deadlineMs) {
      await gateway.stopAcceptors(deadlineMs);
      await gateway.drain(deadlineMs);
      kvEventStream?.close();
    },
  });
}
