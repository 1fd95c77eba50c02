import {
  createGateway,
  type Gateway,
  type GatewayOptions,
  type PlatformFiles,
} from "../../compose/create-gateway.ts";
import { openWebEventStream } from "../../kernel/event-stream.ts";
import { FetchTransport } from "../../wire/fetch-transport.ts";
import type { WorkerPlane } from "../listening.ts";
import { createPortableEncoder } from "../portable-encoder.ts";
import { openKvFeed, workerConnector } from "../sockets.ts";

/** A gateway on web standards: the runtime's own server takes requests, and `fetch` reaches engines. */
export function createWebGateway(
  options: GatewayOptions & { readonly workerPlane?: WorkerPlane | undefined },
  routerModule: WebAssembly.Module,
  files: PlatformFiles,
): Promise<Gateway> {
  return createGateway(options, {
    routerModule,
    transport: new FetchTransport(),
    openEventStream: openWebEventStream,
    createEncoder: createPortableEncoder,
    files,
    openKvFeed,
    connectWorker: workerConnector(options.workerPlane),
  });
}
