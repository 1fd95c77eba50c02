import type { ListeningGateway, ListeningOptions } from "./listening.ts";

/**
 * A gateway in this process, by whatever runtime it has: Node, Deno or Bun.
 * @throws the runtime's error where the port cannot be had
 */
export async function startGateway(options: ListeningOptions): Promise<ListeningGateway> {
  if ("Deno" in globalThis) return (await import("./deno/index.ts")).startDenoGateway(options);
  if ("Bun" in globalThis) return (await import("./bun/index.ts")).startBunGateway(options);
  return (await import("./node/index.ts")).startNodeGateway(options);
}
