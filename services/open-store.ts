import { type Discovery, DiscoveryError, type DiscoveryOptions } from "#runtime";
import { isKubernetes, openDiscovery } from "#runtime/node";

/**
 * Opens the discovery of services.
 * @throws DiscoveryError if it cannot be opened, or does not find services
 */
export async function openStore(url: string, options?: DiscoveryOptions): Promise<Discovery> {
  if (isKubernetes(url))
    throw new DiscoveryError(
      "bad_url",
      "kubernetes: finds workers, not services: use etcd: or nats: for services.",
    );
  return openDiscovery(url, options);
}
