import { setTimeout as sleep } from "node:timers/promises";
import {
  createLogger,
  createMetrics,
  type Discovery,
  type Handler,
  type Lease,
  type Logger,
  measureDiscovery,
  PlaneError,
  type RequestPlaneServer,
  randomId,
  type ServerCall,
  type ServerTls,
} from "#runtime";
import { type OpsServer, openPlanePlace, serve, serveOps } from "#runtime/node";
import { codecOf } from "./codec.ts";
import {
  type Endpoints,
  type ServiceContext,
  type ServiceDefinition,
  typedEndpoint,
} from "./define-service.ts";
import { createServiceMetrics, type ServiceMetrics } from "./metrics.ts";
import { openStore } from "./open-store.ts";
import { keysOf, type Registration, registrationValue, splitRequest } from "./registration.ts";

export interface ServeServiceOptions {
  /** Where clients find it: `file:/dir`, `etcd://HOST:PORT`, `nats://HOST:PORT`, or a discovery that is open. */
  readonly discovery: string | Discovery;
  /** The URL of a discovery that is open, from which the defaults of the addresses follow. */
  readonly discoveryUrl?: string | undefined;
  /** Its name in logs and metrics. Default: the service's, and the process id. */
  readonly name?: string | undefined;
  /** Address of its request plane: `tcp:HOST:PORT`, `unix:/path` or `nats:`. Default: where it reaches its discovery. */
  readonly listen?: string | undefined;
  /** The address by which clients reach that port, as `HOST[:PORT]`. */
  readonly advertise?: string | undefined;
  /** Certificate for a TCP port. */
  readonly tls?: ServerTls | undefined;
  /** NATS servers for `nats:`; default: those of a discovery in NATS. */
  readonly nats?: string | undefined;
  /** Address of `/health` and `/metrics`. Default 127.0.0.1. */
  readonly opsHost?: string | undefined;
  /** Port of `/health` and `/metrics`. Default 0: a free one. */
  readonly opsPort?: number;
  readonly log?: Logger;
}

/** A service that is being served. */
export interface ServedService {
  /** The instance's name. */
  readonly name: string;
  /** The address by which clients reach it. */
  readonly address: string;
  /** Address of `/health` and `/metrics`. */
  readonly opsUrl: string;
  /** Takes no more requests, lets running ones end, and leaves discovery. */
  drain(deadlineMs: number): Promise<void>;
}

const ANNOUNCE_MS = 1_000;

/**
 * Serves a service and registers it, so that clients find it.
 * @throws DiscoveryError or PlaneError for an address that cannot be used
 */
export async function serveService(
  service: ServiceDefinition,
  options: ServeServiceOptions,
): Promise<ServedService> {
  const { name = `${service.name}-${process.pid}`, opsHost, opsPort = 0 } = options;
  const log = options.log ?? createLogger({ name });
  const place = await openPlanePlace({
    ...options,
    discovery: typeof options.discovery === "string" ? options.discovery : options.discoveryUrl,
  });
  const all = createMetrics({ labels: { component: "service", service: service.name } });
  const metrics = createServiceMetrics(all);
  const onError = (error: Error, endpoint?: string) =>
    log.warn("an endpoint failed", { endpoint, reason: error.message });
  const handlers = handlersOf(service.endpoints, { instance: name, log }, metrics);
  // Closes what is open if a later step fails.
  await using opened = new AsyncDisposableStack();
  const ownDiscovery = typeof options.discovery === "string" ? await openStore(options.discovery) : undefined;
  opened.defer(() => ownDiscovery?.close());
  const discovery = ownDiscovery ?? (options.discovery as Discovery);
  measureDiscovery(all, discovery);
  const server = await serve(place.listen, handlers, { tls: place.tls, nats: place.nats, onError });
  opened.defer(() => server.close());
  let isLeaving = false;
  const ops = await serveOps({
    listen: { host: opsHost, port: opsPort },
    registry: all.registry,
    live: () => true,
    health: () => ({
      status: isLeaving ? "draining" : "ready",
      service: service.name,
      running: server.activeCalls,
    }),
  });
  opened.defer(() => ops.close());
  const registration: Registration = {
    id: randomId(),
    service: service.name,
    name,
    address: place.advertised(server.address),
    pid: process.pid,
    isLeaving: false,
  };
  const lease = await discovery.lease();
  opened.defer(() => lease.revoke());
  const key = `${keysOf(service.name)}${registration.id}`;
  await discovery.put(key, registrationValue(registration), lease);
  opened.move();
  log.info("service is ready", { service: service.name, address: registration.address, ops: ops.address });
  return {
    name,
    address: registration.address,
    opsUrl: ops.address,
    async drain(deadlineMs) {
      isLeaving = true;
      const announced = discovery
        .put(key, registrationValue({ ...registration, isLeaving: true }), lease)
        .catch(() => {});
      await Promise.race([announced, sleep(ANNOUNCE_MS, undefined, { ref: false })]);
      await leave({ server, lease, ops, discovery: ownDiscovery }, deadlineMs);
    },
  };
}

interface Parts {
  readonly server: RequestPlaneServer;
  readonly lease: Lease;
  readonly ops: OpsServer;
  readonly discovery: Discovery | undefined;
}

async function leave({ server, lease, ops, discovery }: Parts, deadlineMs: number): Promise<void> {
  await server.drain(deadlineMs);
  await lease.revoke();
  await ops.close();
  await discovery?.close();
}

function handlersOf(
  endpoints: Endpoints,
  common: Pick<ServiceContext, "instance" | "log">,
  metrics: ServiceMetrics,
): Record<string, Handler> {
  return Object.fromEntries(
    Object.entries(endpoints).map(([name, given]) => {
      const { request, response, handle } = typedEndpoint(given);
      const [requests, responses] = [codecOf(request), codecOf(response)];
      const handler: Handler = (framed, call) =>
        metrics.measure(name, async () => {
          const { requestId, payload } = splitRequest(framed) ?? refuse("The request has no id.");
          const context = { ...common, requestId, signal: call.signal };
          const answer = handle(decoded(() => requests.decode(payload)) as never, context);
          await send(answer, (item) => responses.encode(item), call);
        });
      return [name, handler];
    }),
  );
}

async function send(
  answer: AsyncIterable<unknown> | Promise<unknown>,
  encode: (item: unknown) => Uint8Array,
  call: ServerCall,
): Promise<void> {
  if (Symbol.asyncIterator in answer) {
    for await (const item of answer) {
      // Leaving the loop ends the generator.
      if (call.signal.aborted) return;
      if (!call.send(encode(item))) await call.writable();
    }
  } else call.send(encode(await answer));
  call.end();
}

/** @throws PlaneError `invalid_request` in place of what the codec throws */
function decoded<Value>(decode: () => Value): Value {
  try {
    return decode();
  } catch (error) {
    return refuse(`The request is not valid: ${error instanceof Error ? error.message : error}`);
  }
}

function refuse(message: string): never {
  throw new PlaneError("invalid_request", message);
}
