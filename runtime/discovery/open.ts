import { openFileDiscovery } from "./file.ts";
import { isKubernetes } from "./kubernetes/place.ts";
import { openMemoryDiscovery } from "./memory.ts";
import { type Discovery, DiscoveryError, type DiscoveryOptions } from "./types.ts";

type Open = (place: string, options: DiscoveryOptions) => Promise<Discovery>;

/** The backends by URL scheme; a new one is one line. Clients of remote stores are loaded only when needed. */
const backends: Record<string, Open> = {
  memory: async (name) => openMemoryDiscovery(name),
  file: (path, { onError }) => openFileDiscovery(path.replace(/^\/\/(?=\/)/, ""), onError),
  etcd: async (place, options) => (await import("./etcd/etcd.ts")).openEtcdDiscovery(place, options),
  nats: async (place, options) => (await import("./nats/nats.ts")).openNatsDiscovery(place, options),
  kubernetes: async (place, options) =>
    (await import("./kubernetes/discovery.ts")).openKubernetesDiscovery(place, options),
};

/**
 * Opens discovery by its URL: `memory:NAME` inside this process, `file:/directory` on this machine,
 * `etcd://host:2379/prefix` or `nats://host:4222/bucket` on many, `kubernetes:service` for the workers in a cluster's pods.
 *
 * @throws DiscoveryError `bad_url` if no backend supports the URL, `store_failed` if its store does not open
 */
export async function openDiscovery(url: string, options: DiscoveryOptions = {}): Promise<Discovery> {
  const [, scheme = "", place = ""] = /^([a-z]+):(.*)$/s.exec(url) ?? [];
  const open = Object.hasOwn(backends, scheme) ? backends[scheme] : undefined;
  if (open && (place !== "" || isKubernetes(url))) return open(place, options);
  // `memory:` is of use only inside one process, such as a test.
  const known = Object.keys(backends)
    .filter((name) => name !== "memory")
    .map((name) => `${name}:…`)
    .join(" or ");
  throw new DiscoveryError("bad_url", `"${url}" is not a discovery URL: write ${known}.`);
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = { etcd: 2379, nats: 4222 };

/** The first server of a remote store; undefined for discovery on this machine. */
export function storePlace(url: string): { readonly host: string; readonly port: number } | undefined {
  const match =
    /^(?<kind>etcd|nats):\/\/(?:[^@/?]*@)?(?:\[(?<ipv6>[^\]]+)\]|(?<name>[^:,/?]+))(?::(?<port>\d+))?/.exec(
      url,
    );
  if (match?.groups === undefined) return undefined;
  const { kind = "", ipv6, name, port = DEFAULT_PORTS[kind] } = match.groups;
  return { host: ipv6 ?? name ?? "", port: Number(port) };
}
