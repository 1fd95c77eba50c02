import { hubCacheOf } from "../hub-cache.ts";
import { type ListeningGateway, type ListeningOptions, refuseNodeOnly } from "../listening.ts";
import { createWebGateway } from "../web/index.ts";

/** Of Deno's global: what is used here. */
interface DenoRuntime {
  serve(
    options: { hostname: string; port: number; onListen(address: { port: number }): void },
    handler: (request: Request) => Response | Promise<Response>,
  ): { addr: { port: number }; shutdown(): Promise<void> };
  readTextFile(path: string): Promise<string>;
  errors: { NotFound: new () => Error; NotADirectory: new () => Error };
  env: { get(name: string): string | undefined };
}

declare const Deno: DenoRuntime;

/** A gateway in this Deno process. @throws Error with the code `EADDRINUSE` where the port is taken */
export async function startDenoGateway(options: ListeningOptions): Promise<ListeningGateway> {
  refuseNodeOnly(options, "Deno");
  const gateway = await createWebGateway(options, options.routerModule, {
    readTextFile,
    hubCache: hubCacheOf((name) => Deno.env.get(name), Deno.env.get("HOME") ?? ""),
  });
  const { host: hostname, port } = options;
  const server = Deno.serve({ hostname, port, onListen: () => {} }, (request) => gateway.fetch(request));
  return {
    port: server.addr.port,
    models: gateway.models,
    async drain(deadlineMs) {
      await Promise.race([server.shutdown(), new Promise((resolve) => setTimeout(resolve, deadlineMs))]);
      gateway.close();
    },
  };
}

async function readTextFile(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw error;
  }
}
