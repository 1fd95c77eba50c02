import { afterEach } from "vitest";
import { connect } from "./client.ts";
import { serve } from "./server.ts";
import type {
  CallOptions,
  ClientCall,
  ConnectOptions,
  Handler,
  PlaneError,
  RequestPlaneClient,
  RequestPlaneServer,
  ServeOptions,
} from "./types.ts";

/** Helpers of the request plane's tests: parts that are closed after each test, and a recording receiver. */
export interface Bench {
  serve(handlers: Record<string, Handler>, options?: ServeOptions): Promise<RequestPlaneServer>;
  connect(address: string, options?: ConnectOptions): Promise<RequestPlaneClient>;
  /** A server and its client. */
  pair(
    handlers: Record<string, Handler>,
  ): Promise<{ server: RequestPlaneServer; client: RequestPlaneClient }>;
}

/** What a transport's servers and clients need besides an address. */
export interface PlaneContext {
  readonly serve?: ServeOptions;
  readonly connect?: ConnectOptions;
}

export function useBench(newAddress: () => string, context: PlaneContext = {}): Bench {
  const clients: RequestPlaneClient[] = [];
  const servers: RequestPlaneServer[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    for (const server of servers.splice(0)) await server.close();
  });
  const bench: Bench = {
    async serve(handlers, options) {
      const server = await serve(newAddress(), handlers, { ...context.serve, ...options });
      servers.push(server);
      return server;
    },
    async connect(address, options) {
      const client = await connect(address, { ...context.connect, ...options });
      clients.push(client);
      return client;
    },
    async pair(handlers) {
      const server = await bench.serve(handlers);
      return { server, client: await bench.connect(server.address) };
    },
  };
  return bench;
}

/** A call that records copies of its messages. */
export interface Recording {
  readonly call: ClientCall;
  readonly messages: Uint8Array[];
  /** How often `onEnd` and `onError` ran; must never pass 1. */
  readonly ends: number;
  /** Resolves when the call has ended, with the error, if any. */
  readonly outcome: Promise<PlaneError | undefined>;
  /** Resolves when `count` messages have arrived. */
  received(count: number): Promise<void>;
}

export function record(
  client: RequestPlaneClient,
  endpoint: string,
  payload: Uint8Array = new Uint8Array(0),
  options?: CallOptions,
): Recording {
  const messages: Uint8Array[] = [];
  const outcome = Promise.withResolvers<PlaneError | undefined>();
  let wanted: { count: number; resolve: () => void } | undefined;
  let ends = 0;
  const end = (error?: PlaneError) => {
    ends++;
    outcome.resolve(error);
  };
  const receiver = {
    onMessage(message: Uint8Array) {
      messages.push(message.slice());
      if (wanted && messages.length >= wanted.count) wanted.resolve();
    },
    onEnd: () => end(),
    onError: end,
  };
  return {
    call: client.call(endpoint, payload, receiver, options),
    messages,
    outcome: outcome.promise,
    get ends() {
      return ends;
    },
    received(count) {
      if (messages.length >= count) return Promise.resolve();
      const { promise, resolve } = Promise.withResolvers<void>();
      wanted = { count, resolve };
      return promise;
    },
  };
}

export function text(bytes: Uint8Array | undefined): string {
  return new TextDecoder().decode(bytes);
}

export function bytes(content: string): Uint8Array {
  return new TextEncoder().encode(content);
}

/** Lets pending work in this process run: a few turns of the event loop. */
export async function turns(count = 5): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}
