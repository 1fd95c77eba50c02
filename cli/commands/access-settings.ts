import { isIP } from "node:net";
import { type EngineSpec, type ListeningOptions, parseAddress } from "#gateway";
import { UsageError } from "../options/read.ts";
import type { OptionValues } from "../options/spec.ts";
import type { servingOptions } from "../options/tables.ts";
import { engineTlsFiles } from "./engine-options.ts";

type Options = OptionValues<typeof servingOptions>;

type ExposedOptions = Pick<Options, "host" | "keys" | "open" | "admin-port" | "admin-host">;

type AccessSettings = Required<
  Pick<ListeningOptions, "access" | "admin" | "tls" | "engineTls" | "serverLimits">
>;

/**
 * What the flags say about who may come in.
 * @throws UsageError where that would be everybody, and nobody has asked for it
 */
export function accessSettings(options: Options): AccessSettings {
  checkExposure(options);
  return {
    access: {
      keysFile: options.keys,
      maxInflight: options["max-inflight"],
      cors: options.cors,
      media: mediaPolicy(options["media-domains"]),
      // Without either it listens on loopback only, where any web page of this machine's browsers can send requests.
      hosts: options.keys === undefined && !options.open ? "local" : "any",
      passesAll: options["pass-all"],
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

/** @throws UsageError where other machines could come in, and neither keys nor their absence was asked for */
export function checkExposure(options: ExposedOptions): void {
  const { host, keys, open, "admin-port": adminPort, "admin-host": adminHost } = options;
  if (keys !== undefined && open)
    throw new UsageError("--open is for a gateway without keys; leave out --open, or --keys.");
  if (keys !== undefined) return;
  if (!isLoopback(host) && !open) {
    throw new UsageError(
      `--host ${host} lets other machines in, and there are no API keys. Make one with 'stator keys add NAME --keys keys.yaml' and start with --keys keys.yaml, or start with --open to let everybody in.`,
    );
  }
  if (adminPort !== undefined && !isLoopback(adminHost)) {
    throw new UsageError(
      `--admin-host ${adminHost} lets other machines run this gateway, which needs admin keys: 'stator keys add NAME --admin --keys keys.yaml', and --keys keys.yaml here.`,
    );
  }
}

/**
 * @throws UsageError where one of the engines would be the gateway itself, which is easily asked for: the default port of
 * both is 8000
 */
export function checkOwnAddress(
  engines: readonly EngineSpec[],
  { host, port }: Pick<Options, "host" | "port">,
): void {
  for (const { url } of engines) {
    const address = parseAddress(url);
    if (address?.port !== String(port)) continue;
    const name = address.hostname.replace(/^\[|\]$/g, "");
    if (name === host || isLoopback(name))
      throw new UsageError(
        `${address.origin} would be the gateway's own address. Give the gateway another: --port ${port + 1}.`,
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
  // Without keys, whoever reaches the API could have requests sent to an engine of their own.
  if (keys === undefined && !isLoopback(apiHost)) return { port: undefined, host, isGuarded: true };
  return undefined;
}

export function mediaPolicy(domains: readonly string[]): NonNullable<ListeningOptions["access"]>["media"] {
  if (domains.length === 0) return "public";
  if (domains.includes("any")) return "any";
  return domains.filter((domain) => domain !== "none").map((domain) => domain.toLowerCase());
}

function tlsFiles(options: Options): AccessSettings["tls"] {
  const { "tls-cert": cert, "tls-key": key, "tls-client-ca": clientCa } = options;
  if (cert !== undefined && key !== undefined) return { cert, key, clientCa };
  if (cert !== undefined) throw new UsageError("--tls-cert needs --tls-key too.");
  if (key !== undefined || clientCa !== undefined)
    throw new UsageError(`${key === undefined ? "--tls-client-ca" : "--tls-key"} needs --tls-cert too.`);
  return undefined;
}
