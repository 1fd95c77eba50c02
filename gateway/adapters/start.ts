import type { ListeningGateway, ListeningOptions } from "./listening.ts";

/**
 * Starts a gateway in this process, on Node, Deno or Bun.
 * @throws the runtime's error if it cannot listen on the port
 */
export async function startGateway(options: ListeningOptions): Promise<ListeningGateway> {
  if ("Deno" in globalThis) return (await import("./deno/index.ts")).startDenoGateway(options);
  if ("Bun" in globalThis) return (await import("./bun/index.ts")).startBunGateway(options);
  return (await import("./node/index.ts")).startNodeGateway(options);
}
