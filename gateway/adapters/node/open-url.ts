import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { within } from "#runtime";
import type { OpenUrl } from "../../media/fetch.ts";
import { privateHost, type ResolveHost } from "../../media/policy.ts";
import { createHostResolver } from "./resolve-host.ts";

/** Timeout for resolving a name, in milliseconds. */
const RESOLVE_MS = 5_000;

/**
 * Fetches over connections of its own. A name is resolved once, and only addresses that were checked are connected to, so
 * that a name cannot lead elsewhere between the two.
 */
export function createOpenUrl(resolveHost: ResolveHost = createHostResolver()): OpenUrl {
  return async ({ url, allowsAddress }, path, signal) => {
    const host = url.hostname.replace(/^\[|\]$/g, "");
    // Addresses in a URL are checked by their spelling.
    const addresses = isIP(host) > 0 ? [host] : await addressesOf(host, resolveHost);
    // If one is private, the name is none that may be fetched from.
    if (isIP(host) === 0 && !addresses.every(allowsAddress)) throw privateHost(path);
    const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<OpenUrl>>>();
    const request = url.protocol === "https:" ? requestHttps : requestHttp;
    const call = request(url, {
      agent: false,
      signal,
      lookup: lookupOf(addresses),
      headers: { accept: "*/*", "accept-encoding": "identity", "user-agent": "stator" },
    });
    call.on("error", (error) => reject(new Error(sentenceFor(error), { cause: error })));
    call.on("response", (response) => {
      resolve({
        status: response.statusCode ?? 0,
        header(name) {
          const value = response.headers[name];
          return Array.isArray(value) ? value[0] : value;
        },
        body: response,
        cancel: () => call.destroy(),
      });
    });
    call.end();
    return promise;
  };
}

async function addressesOf(host: string, resolveHost: ResolveHost): Promise<readonly string[]> {
  const late = () => new Error("Its host name was not resolved in time.");
  const resolved = resolveHost(host).catch(() => []);
  const addresses = await within(RESOLVE_MS, resolved, late);
  if (addresses.length === 0) throw new Error("Its host name cannot be resolved.");
  return addresses;
}

const lookupOf =
  (addresses: readonly string[]): LookupFunction =>
  (_host, options, callback) => {
    const found = addresses.map((address) => ({ address, family: isIP(address) }));
    if (options.all === true) callback(null, found);
    else callback(null, found[0]!.address, found[0]!.family);
  };

/** @param error of the system, or of TLS */
function sentenceFor(error: Error): string {
  const code: unknown = Reflect.get(error, "code");
  return `The connection to its server failed (${typeof code === "string" ? code : error.message}).`;
}
