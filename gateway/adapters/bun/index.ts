import type { Gateway } from "../../compose/create-gateway.ts";
import { hubCacheOf } from "../hub-cache.ts";
import { type ListeningGateway, type ListeningOptions, refuseMissing } from "../listening.ts";
import { createWebGateway } from "../web/index.ts";
import { listenOnWeb, type WebListener, type WebListenOptions } from "../web/listen.ts";

/** The parts of Bun's global that are used here. */
interface BunRuntime {
  serve(options: {
    hostname: string;
    port: number;
    reusePort: boolean;
    /** In seconds; 0 disables it. */
    idleTimeout: number;
    tls?: {
      cert: string;
      key: string;
      ca?: string;
      requestCert?: boolean;
      rejectUnauthorized?: boolean;
    };
    fetch(request: Request): Response | Promise<Response>;
  }): { port: number; stop(closeActiveConnections?: boolean): Promise<void> };
  file(path: string): {
    text(): Promise<string>;
    exists(): Promise<boolean>;
  };
  env: Record<string, string | undefined>;
}

declare const Bun: BunRuntime;

/** Starts a gateway in this Bun process. @throws Error with the code `EADDRINUSE` if the port is taken */
export async function startBunGateway(options: ListeningOptions): Promise<ListeningGateway> {
  refuseMissing(options, "Bun", ["engine certificates", "processes"]);
  const files = { readTextFile, hubCache: hubCacheOf((name) => Bun.env[name], Bun.env.HOME ?? "") };
  const gateway = await createWebGateway(options, options.routerModule, files);
  return listenOnWeb(gateway, options, { canShare: true, listen }, files);
}

function listen({ hostname, port, tls, isShared }: WebListenOptions, fetch: Gateway["fetch"]): WebListener {
  const server = Bun.serve({
    hostname,
    port,
    reusePort: isShared,
    // The gateway has its own timeouts; Bun's would cut off an answer that waits for its first token.
    idleTimeout: 0,
    ...(tls && { tls: { cert: tls.cert, key: tls.key, ...clientsOf(tls.clientCa) } }),
    fetch: (request) => fetch(request),
  });
  return { port: server.port, stop: () => server.stop(), abort: () => server.stop(true) };
}

const clientsOf = (ca: string | undefined) =>
  ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true };

async function readTextFile(path: string): Promise<string | undefined> {
  const file = Bun.file(path);
  return (await file.exists()) ? file.text() : undefined;
}
