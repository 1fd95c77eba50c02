import type { Gateway } from "../../compose/create-gateway.ts";
import { hubCacheOf } from "../hub-cache.ts";
import { type ListeningGateway, type ListeningOptions, refuseMissing } from "../listening.ts";
import { createWebGateway } from "../web/index.ts";
import { listenOnWeb, type WebListener, type WebListenOptions } from "../web/listen.ts";

/** The parts of Deno's global that are used here. */
interface DenoRuntime {
  serve(
    options: {
      hostname: string;
      port: number;
      reusePort: boolean;
      cert?: string;
      key?: string;
      onListen(address: { port: number }): void;
    },
    handler: (request: Request) => Response | Promise<Response>,
  ): { addr: { port: number }; shutdown(): Promise<void> };
  readTextFile(path: string): Promise<string>;
  errors: { NotFound: new () => Error; NotADirectory: new () => Error };
  env: { get(name: string): string | undefined };
}

declare const Deno: DenoRuntime;

/** Starts a gateway in this Deno process. @throws Error with the code `EADDRINUSE` if the port is taken */
export async function startDenoGateway(options: ListeningOptions): Promise<ListeningGateway> {
  refuseMissing(options, "Deno", ["engine certificates", "client certificates", "processes"]);
  const files = {
    readTextFile,
    hubCache: hubCacheOf((name) => Deno.env.get(name), Deno.env.get("HOME") ?? ""),
  };
  const gateway = await createWebGateway(options, options.routerModule, files);
  return listenOnWeb(gateway, options, { canShare: false, listen }, files);
}

function listen({ hostname, port, tls, isShared }: WebListenOptions, fetch: Gateway["fetch"]): WebListener {
  const place = { hostname, port, reusePort: isShared, ...(tls && { cert: tls.cert, key: tls.key }) };
  const server = Deno.serve({ ...place, onListen: () => {} }, (request) => fetch(request));
  return { port: server.addr.port, stop: () => server.shutdown() };
}

async function readTextFile(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw error;
  }
}
