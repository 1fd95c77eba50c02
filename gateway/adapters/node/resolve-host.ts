import { lookup } from "node:dns/promises";
import type { ResolveHost } from "../../access/media.ts";

/** Each takes one of the process's four threads for as long as a name's server likes, and keys need those too. */
const AT_ONCE = 2;
/** How long an answer is taken again, in milliseconds. */
const KEPT_MS = 30_000;
/** Names that are known, or waited for. */
const MOST_NAMES = 1_000;

const find: ResolveHost = async (host) => (await lookup(host, { all: true })).map(({ address }) => address);

/** Resolves names as the system does: by its files, servers and search domains. */
export function createHostResolver(resolve: ResolveHost = find): ResolveHost {
  const known = new Map<string, Promise<readonly string[]>>();
  const waiting: (() => void)[] = [];
  let running = 0;

  async function resolveInTurn(host: string): Promise<readonly string[]> {
    if (running === AT_ONCE) await new Promise<void>((go) => waiting.push(go));
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
    if (known.size >= MOST_NAMES) return Promise.reject(new Error("Too many names at once."));
    const found = resolveInTurn(host);
    known.set(host, found);
    const forget = () => void setTimeout(() => known.delete(host), KEPT_MS).unref();
    found.then(forget, forget);
    return found;
  };
}
