import { type ListeningGateway, type ListeningOptions, startGateway } from "#gateway";
import { version } from "#runtime";
import { loadRouterModule } from "../assets.ts";
import { UsageError } from "../options/read.ts";
import type { OptionValues } from "../options/spec.ts";
import type { servingOptions } from "../options/tables.ts";
import type { Service } from "../service.ts";
import { accessSettings } from "./access-settings.ts";
import { requestSettings } from "./attach-settings.ts";
import { listenError } from "./listen-error.ts";
import { routingOptions } from "./routing-options.ts";

type AcceptorOptions = OptionValues<typeof servingOptions>;

/** A gateway with the addresses of its API and its admin routes, for programs on this machine. */
export type StartedGateway = ListeningGateway & { readonly url: string; readonly adminUrl: string };

/**
 * Starts a gateway in this process, from the flags that all commands with a gateway share.
 * @throws UsageError if its port is unavailable
 */
export async function startGatewayFromFlags(
  options: AcceptorOptions,
  { discovery, log }: Service,
  own: Partial<ListeningOptions> = {},
): Promise<StartedGateway> {
  const adminPort = options["admin-port"];
  if (adminPort !== undefined && adminPort !== 0 && adminPort === options.port)
    throw new UsageError(`--admin-port ${adminPort} is the API's port too. Choose another for one of them.`);
  try {
    const settings = accessSettings(options);
    const gateway = await startGateway({
      host: options.host,
      port: options.port,
      discovery,
      routerModule: await loadRouterModule(),
      ...routingOptions(options),
      ...settings,
      preferenceDefaults: { session: options["session-from"], tenant: options["tenant-from"] },
      bodyLimit: options["body-limit"],
      timeoutMs: options["request-timeout"] * 1000,
      health: { slowStartMs: options["slow-start"] * 1000 },
      requestOptions: requestSettings(options),
      log,
      version,
      ...own,
    });
    const { port, adminPort } = gateway;
    const url = urlOf(options["tls-cert"] !== undefined, options.host, port);
    if (adminPort === undefined) return Object.assign(gateway, { url, adminUrl: url });
    const isEncrypted = settings.admin?.isGuarded === true && settings.tls !== undefined;
    const adminUrl = urlOf(isEncrypted, options["admin-host"], adminPort);
    log.info("admin routes listen", { url: adminUrl });
    return Object.assign(gateway, { url, adminUrl });
  } catch (error) {
    await discovery.close();
    throw listenError(error, options);
  }
}

const urlOf = (isEncrypted: boolean, host: string, port: number) =>
  `${isEncrypted ? "https" : "http"}://${reachableHost(host)}:${port}`;

/** A host that a program on this machine can connect to: wildcard addresses are only for listening. */
function reachableHost(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}
