import { openMemoryDiscovery } from "#runtime";
import { createGateway, type Gateway, type GatewayOptions } from "../../compose/create-gateway.ts";
import { openWebEventStream } from "../../kernel/event-stream.ts";
import { FetchTransport } from "../../wire/fetch-transport.ts";
import { createPortableEncoder } from "../portable-encoder.ts";
import { RequestWatch } from "./request-watch.ts";

export type WorkerdOptions = Omit<GatewayOptions, "discovery">;

/** A module worker's handler, as workerd calls it. */
export interface WorkerdHandler {
  fetch(request: Request, env: unknown, context: WorkerdContext): Promise<Response>;
}

/** Of what workerd hands over with a request: what is used here. */
export interface WorkerdContext {
  /** Goes on with the work when the request has had its answer. */
  waitUntil(work: Promise<unknown>): void;
}

/**
 * A gateway in front of attached engines, as a module worker. Outside of requests workerd runs nothing, so the first
 * request makes the gateway, and engines are looked at when requests come.
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
