import { readOptions } from "../options/read.ts";
import type { OptionValues } from "../options/spec.ts";
import { gatewayOptions } from "../options/tables.ts";
import { logged, openService, serveUntilStopped } from "../service.ts";
import { isSupervised, tellSupervisor } from "../supervisor-link.ts";
import type { Command } from "./command.ts";
import { startGateway } from "./gateway-settings.ts";
import { modelNames } from "./name-settings.ts";

export const gatewayCommand: Command = {
  async run(argv) {
    const { options } = readOptions(gatewayOptions, argv, process.env);
    return logged("gateway", options, () => serveGateway(options));
  },
};

async function serveGateway(options: OptionValues<typeof gatewayOptions>): Promise<number> {
  const names = modelNames(options);
  const service = await openService("gateway", options);
  const gateway = await startGateway(options, service, { modelNames: names });
  const { url } = gateway;
  // Under a supervisor, that one tells where.
  service.log[isSupervised() ? "debug" : "info"]("listening", { url });
  tellSupervisor({ type: "ready", url });
  return serveUntilStopped(service, options, gateway);
}
