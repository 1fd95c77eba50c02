import { hubCacheOf } from "../hub-cache.ts";
import { type ListeningGateway, type ListeningOptions, refuseNodeOnly } from "../listening.ts";
import { createWebGateway } from "../web/index.ts";

/** Of Bun's global: what is used here. */
interface BunRuntime {
  serve(options: {
    hostname: string;
    port: number;
    /** Seconds that a connection may be silent. */
    idleTimeout: number;
    fetch(request: Request): Response | Promise<Response>;
  }): { port: number; stop(closeActiveConnections?: boolean): Promise<void> };
  file(path: string): {
    text(): Promise<string>;
    exists(): Promise<boolean>;
  };
  env: Record<string, string | undefined>;
}

declare const Bun: BunRuntime;

/** A gateway in this Bun process. @throws Error with the code `EADDRINUSE` where the port is taken */
export async function startBunGateway(options: ListeningOptions): Promise<ListeningGateway> {
  refuseNodeOnly(options, "Bun");
  const gateway = await createWebGateway(options, options.routerModule, {
    readTextFile,
    hubCache: hubCacheOf((name) => Bun.env[name], Bun.env.HOME ?? ""),
  });
  const { host: hostname, port } = options;
  // The gateway's own limits bound a silent answer: Bun's would cut one that waits for its first token.
  const server = Bun.serve({ hostname, port, idleTimeout: 0, fetch: (request) => gateway.fetch(request) });
  return {
    port: server.port,
    models: gateway.models,
    async drain(deadlineMs) {
      await Promise.race([server.stop(), new Promise((resolve) => setTimeout(resolve, deadlineMs))]);
      await server.stop(true);
      gateway.close();
    },
  };
}

async function readTextFile(path: string): Promise<string | undefined> {
  const file = Bun.file(path);
  return (await file.exists()) ? file.text() : undefined;
}
