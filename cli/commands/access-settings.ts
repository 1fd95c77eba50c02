import { isIP } from "node:net";
import type { EngineSpec, ListeningOptions } from "#gateway";
import { parseHttpUrl } from "#gateway/choices";
import { UsageError } from "../options/read.ts";
import type { OptionValues } from "../options/spec.ts";
import type { servingOptions } from "../options/tables.ts";
import { engineTlsFiles } from "./engine-options.ts";
import { isolationSettings } from "./isolation-settings.ts";
import { mediaSettings } from "./media-settings.ts";

type Options = OptionValues<typeof servingOptions>;

type ExposedOptions = Pick<Options, "host" | "keys" | "open" | "admin-port" | "admin-host">;

type AccessSettings = Required<
  Pick<ListeningOptions, "access" | "admin" | "tls" | "engineTls" | "serverLimits">
>;

/**
 * Access control, from the flags.
 * @throws UsageError if the gateway would be open to other machines without --open
 */
export function accessSettings(options: Options): AccessSettings {
  checkExposure(options);
  return {
    access: {
      keysFile: options.keys,
      maxInflight: options["max-inflight"],
      cors: options.cors,
      media: mediaSettings(options),
      // Without either it listens only on loopback, where web pages in this machine's browsers can send requests.
      hosts: options.keys === undefined && !options.open ? "local" : "any",
      passesAll: options["pass-all"],
      isolation: isolationSettings(options),
    },
    admin: adminPlace(options),
    tls: tlsFiles(options),
    engineTls: engineTlsFiles(options),
    serverLimits: {
      headerMs: options["header-timeout"] * 1000,
      bodyMs: options["body-timeout"] * 1000,
      unreadMs: options["client-timeout"] * 1000,
      maxConnections: options["max-connections"],
      maxHeaderSize: options["header-limit"],
    },
  };
}

/** @throws UsageError if other machines could connect, and neither --keys nor --open was given */
export function checkExposure(options: ExposedOptions): void {
  const { host, keys, open, "admin-port": adminPort, "admin-host": adminHost } = options;
  if (keys !== undefined && open)
    throw new UsageError("--open is for a gateway without keys; omit --open or --keys.");
  if (keys !== undefined) return;
  if (!isLoopback(host) && !open) {
    throw new UsageError(
      `--host ${host} admits other machines, and there are no API keys. Create one with 'stator keys add NAME --keys keys.yaml' and start with --keys keys.yaml, or start with --open to admit everyone.`,
    );
  }
  if (adminPort !== undefined && !isLoopback(adminHost)) {
    throw new UsageError(
      `--admin-host ${adminHost} lets other machines administer this gateway, which needs admin keys: run 'stator keys add NAME --admin --keys keys.yaml', and start with --keys keys.yaml.`,
    );
  }
}

/**
 * @throws UsageError if an engine has the gateway's own address, an easy mistake: both default to port 8000
 */
export function checkOwnAddress(
  engines: readonly EngineSpec[],
  { host, port }: Pick<Options, "host" | "port">,
): void {
  for (const { url } of engines) {
    const address = parseHttpUrl(url);
    if (address?.port !== String(port)) continue;
    const name = address.hostname.replace(/^\[|\]$/g, "");
    if (name === host || isLoopback(name))
      throw new UsageError(
        `${address.origin} would be the gateway's own address. Use another port for the gateway: --port ${port + 1}.`,
      );
  }
}

/** Whether only programs on this machine can connect to the host. */
function isLoopback(host: string): boolean {
  if (host === "localhost" || host === "::1") return true;
  return isIP(host) === 4 && host.startsWith("127.");
}

function adminPlace(options: ExposedOptions): AccessSettings["admin"] {
  const { host: apiHost, keys, "admin-port": port, "admin-host": host } = options;
  if (port !== undefined) return { port, host, isGuarded: !isLoopback(host) };
  // Without keys, any client of the API could attach an engine of its own.
  if (keys === undefined && !isLoopback(apiHost)) return { port: undefined, host, isGuarded: true };
  return undefined;
}

/** @throws UsageError for a certificate without its key or vice versa */
export function tlsFiles({
  "tls-cert": cert,
  "tls-key": key,
  "tls-client-ca": clientCa,
}: Pick<Options, "tls-cert" | "tls-key" | "tls-client-ca">): AccessSettings["tls"] {
  if (cert !== undefined && key !== undefined) return { cert, key, clientCa };
  if (cert !== undefined) throw new UsageError("--tls-cert needs --tls-key too.");
  if (key !== undefined || clientCa !== undefined)
    throw new UsageError(`${key === undefined ? "--tls-client-ca" : "--tls-key"} needs --tls-cert too.`);
  return undefined;
}
