import { openFileDiscovery } from "./file.ts";
import { openMemoryDiscovery } from "./memory.ts";
import { type Discovery, DiscoveryError } from "./types.ts";

export interface DiscoveryOptions {
  /** Told of trouble in the background, where no caller waits. */
  onError?: (error: Error) => void;
}

type Open = (place: string, options: DiscoveryOptions) => Promise<Discovery>;

/** The backends by the scheme of their URLs; a new one is one line. */
const backends: Record<string, Open> = {
  memory: async (name) => openMemoryDiscovery(name),
  file: (path, { onError }) => openFileDiscovery(path.replace(/^\/\/(?=\/)/, ""), onError),
};

/**
 * Opens discovery by its URL: `memory:NAME` inside this process, `file:/directory` on this machine.
 *
 * @throws DiscoveryError `bad_url` where no backend knows the URL, `store_failed` where its store does not open
 */
export async function openDiscovery(url: string, options: DiscoveryOptions = {}): Promise<Discovery> {
  const [, scheme = "", place = ""] = /^([a-z]+):(.+)$/s.exec(url) ?? [];
  const open = Object.hasOwn(backends, scheme) ? backends[scheme] : undefined;
  if (open) return open(place, options);
  const known = Object.keys(backends)
    .map((name) => `${name}:…`)
    .join(" or ");
  throw new DiscoveryError("bad_url", `"${url}" is no discovery URL: write ${known}.`);
}
