import { startNodeGateway } from "#gateway";
import { readOptions, UsageError } from "../options/read.ts";
import type { OptionValues } from "../options/spec.ts";
import { gatewayOptions } from "../options/tables.ts";
import { routerWasm } from "../paths.ts";
import { openService, type Service, serveUntilStopped } from "../service.ts";
import { tellSupervisor } from "../supervisor-link.ts";
import { version } from "../version.ts";
import { type Command, commandHelp } from "./command.ts";
import { routingOptions } from "./routing-options.ts";

export const gatewayCommand: Command = {
  help: () =>
    commandHelp(
      "gateway --discovery file:/DIR [OPTIONS]",
      "Serves the OpenAI API on one port and routes each request to the worker that holds most of its prompt.",
      gatewayOptions,
    ),
  async run(argv) {
    const { options } = readOptions(gatewayOptions, argv, process.env);
    const service = await openService("gateway", options);
    const gateway = await start(options, service);
    const url = `http://${reachableHost(options.host)}:${gateway.port}`;
    service.log.info("listening", { url });
    tellSupervisor({ type: "ready", url });
    return serveUntilStopped(service, options, (deadlineMs) => gateway.drain(deadlineMs));
  },
};

async function start(options: OptionValues<typeof gatewayOptions>, { discovery, log }: Service) {
  try {
    return await startNodeGateway({
      host: options.host,
      port: options.port,
      discovery,
      routerWasm,
      ...routingOptions(options),
      preferenceDefaults: { session: options["session-from"], tenant: options["tenant-from"] },
      bodyLimit: options["body-limit"],
      timeoutMs: options["request-timeout"] * 1000,
      log,
      version,
    });
  } catch (error) {
    await discovery.close();
    throw listenError(error, options);
  }
}

function listenError(error: unknown, { host, port }: { host: string; port: number }): unknown {
  switch ((error as NodeJS.ErrnoException).code) {
    case "EADDRINUSE":
      return new UsageError(`Port ${port} is taken by another program. Choose another: --port ${port + 1}.`);
    case "EACCES":
      return new UsageError(`Port ${port} needs the rights of root. Choose one above 1023: --port 8000.`);
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return new UsageError(`This machine has no address ${host}. Try --host 127.0.0.1 or --host 0.0.0.0.`);
    default:
      return error;
  }
}

/** A host that a program on this machine can connect to: the "any" addresses are for listening only. */
function reachableHost(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}
