import { lookup } from "node:dns/promises";
import type { ResolveHost } from "../../media/policy.ts";

/** Each lookup occupies one of libuv's four threads until the name server answers, and key hashing needs them too. */
const MAX_CONCURRENT = 2;
/** How long an answer is cached, in milliseconds. */
const TTL_MS = 30_000;
/** Most names that are cached or pending. */
const MAX_NAMES = 1_000;

const find: ResolveHost = async (host) => (await lookup(host, { all: true })).map(({ address }) => address);

/** Resolves names with the system's resolver: its hosts file, name servers and search domains. */
export function createHostResolver(resolve: ResolveHost = find): ResolveHost {
  const known = new Map<string, Promise<readonly string[]>>();
  const waiting: (() => void)[] = [];
  let running = 0;

  async function resolveInTurn(host: string): Promise<readonly string[]> {
    if (running === MAX_CONCURRENT) await new Promise<void>((go) => waiting.push(go));
    else running++;
    try {
      return await resolve(host);
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  }

  return (host) => {
    const before = known.get(host);
    if (before !== undefined) return before;
    if (known.size >= MAX_NAMES) return Promise.reject(new Error("Too many host names at once."));
    const found = resolveInTurn(host);
    known.set(host, found);
    const forget = () => void setTimeout(() => known.delete(host), TTL_MS).unref();
    found.then(forget, forget);
    return found;
  };
}
