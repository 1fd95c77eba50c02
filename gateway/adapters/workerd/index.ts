import { openMemoryDiscovery } from "#runtime";
import { createGateway, type Gateway, type GatewayOptions } from "../../compose/create-gateway.ts";
import { openWebEventStream } from "../../kernel/event-stream.ts";
import { FetchTransport } from "../../wire/fetch-transport.ts";
import { createPortableEncoder } from "../portable-encoder.ts";
import { RequestWatch } from "./request-watch.ts";

export type WorkerdOptions = Omit<GatewayOptions, "discovery">;

/** A module worker's handler. */
export interface WorkerdHandler {
  fetch(request: Request, env: unknown, context: WorkerdContext): Promise<Response>;
}

/** The parts of workerd's request context that are used here. */
export interface WorkerdContext {
  /** Keeps the work running after the request has been answered. */
  waitUntil(work: Promise<unknown>): void;
}

/**
 * A gateway in front of attached engines, as a module worker. workerd runs nothing outside of requests, so the first
 * request creates the gateway, and requests trigger the engines' health checks.
 */
export function createWorkerdHandler(
  options: WorkerdOptions,
  routerModule: WebAssembly.Module,
): WorkerdHandler {
  const watch = new RequestWatch();
  let gateway: Promise<Gateway> | undefined;
  return {
    async fetch(request, _env, context) {
      gateway ??= create(options, routerModule, watch);
      const { fetch } = await gateway;
      if (new URL(request.url).pathname !== "/live")
        await watch.beforeRequest((work) => context.waitUntil(work));
      return fetch(request);
    },
  };
}

async function create(
  options: WorkerdOptions,
  routerModule: WebAssembly.Module,
  watch: RequestWatch,
): Promise<Gateway> {
  const discovery = openMemoryDiscovery("workerd");
  return createGateway(
    { ...options, discovery },
    {
      routerModule,
      transport: new FetchTransport(),
      openEventStream: openWebEventStream,
      createEncoder: createPortableEncoder,
      files: undefined,
      openKvFeed: undefined,
      connectWorker: undefined,
      watch,
      hasFixedEngines: true,
      hasProcessMetrics: false,
    },
  );
}
