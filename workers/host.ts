import { setTimeout as sleep } from "node:timers/promises";
import {
  createMetrics,
  type Discovery,
  decodeDrainRequest,
  defaultTtlMs,
  drainEndpoint,
  encodeEndpoint,
  type Handler,
  type Instance,
  InstanceAnnouncer,
  instanceEndpoint,
  instanceValue,
  kvEventsEndpoint,
  type Lease,
  type ModelCard,
  measureDiscovery,
  PlaneError,
  prefillEndpoint,
  randomId,
  roleEndpoint,
  Warnings,
  type WorkerRole,
} from "#runtime";
import { serve, serveOps } from "#runtime/node";
import { checkedCard } from "./check-card.ts";
import type { Engine } from "./engine.ts";
import { engineHandlers } from "./engine-handlers.ts";
import { generateHandler } from "./generate-handler.ts";
import type { WorkerHostOptions } from "./host-options.ts";
import type { KvTransferAgent } from "./kv/agent.ts";
import { openKvAgent } from "./kv/open-agent.ts";
import { createKvService } from "./kv/serve.ts";
import { publishKvEvents } from "./kv-events.ts";
import { checkFirstAdapters, loraHandlers } from "./lora.ts";
import { createWorkerMetrics, measureStream } from "./metrics.ts";
import { checkRole, prepareRole, roleHandler } from "./role.ts";
import { RunningRequests } from "./running-requests.ts";

export interface WorkerHost {
  readonly instance: Instance;
  /** Address of `/health` and `/metrics`. */
  readonly opsUrl: string;
  /** Resolves when it has drained, after `drain` or a gateway's request to do so. */
  readonly drained: Promise<void>;
  /** Announces that it is leaving, lets running requests finish or move, leaves discovery, frees the engine. */
  drain(bounds: DrainBounds): Promise<void>;
}

/** Limits on the requests of a draining worker, in milliseconds. */
export interface DrainBounds {
  /** After how long gateways move them to other workers, if they can. */
  readonly withinMs: number;
  /** After how long they are aborted. */
  readonly deadlineMs: number;
}

/** Timeout of announcing in discovery that it is leaving; the store may be unreachable. */
const ANNOUNCE_MS = 1_000;
const DRAIN_MS = 30_000;
const DRAIN_WITHIN_MS = 5_000;

/**
 * Runs an engine as a worker: loads it, serves it on the request plane and announces it in discovery.
 * @throws the engine's error if it cannot load, an Error that names the worker and the invalid field of its model card,
 *   a PlaneError if its engine cannot have the role, or the system's error for an address in use
 */
export async function startWorker(options: WorkerHostOptions): Promise<WorkerHost> {
  const { definition, discovery, log, threads, engineOptions } = options;
  const engine = await definition.open({ log, threads, role: options.role, options: engineOptions });
  const card = await cardOf(engine, options).catch(async (error) => {
    await engine.close();
    throw error;
  });
  const all = createMetrics({ labels: { component: "worker", worker: options.name } });
  const metrics = createWorkerMetrics(all, engine, card);
  const { zmqEvents: zmq, kvEventsPrivacy: privacy, kvEventStream: stream } = options;
  const kvEvents = await publishKvEvents(engine, card, { zmq, privacy, stream }, log);
  if (kvEvents?.streamed !== undefined) measureStream(all, kvEvents.streamed);
  const { listen, advertised = (bound) => bound, tls, nats } = options;
  const kv = createKvService({
    ...{ engine, card, all, metrics, log },
    ...options.kvTransfer,
    openAgent: options.openTransferAgent ?? openAgent,
  });
  const announcer = new InstanceAnnouncer();
  const requests = new RunningRequests();
  const handlers: Record<string, Handler> = {
    [drainEndpoint]: (payload, call) => {
      const { drainWithinMs = DRAIN_WITHIN_MS, drainMs = DRAIN_MS } = options;
      const withinMs = decodeDrainRequest(payload) ?? drainWithinMs;
      log.info("asked to leave", { withinMs });
      // This call must end first, because draining waits for all calls.
      call.end();
      void drain({ withinMs, deadlineMs: withinMs + drainMs });
    },
    [instanceEndpoint]: announcer.handler,
    generate: requests.counted(generateHandler(engine, card, metrics, log, kv)),
    ...(kv.prefill && { [prefillEndpoint]: requests.counted(kv.prefill) }),
    ...(kv.encode && { [encodeEndpoint]: requests.counted(kv.encode) }),
    [roleEndpoint]: roleHandler(engine, changeRole, log),
    ...loraHandlers(engine, {
      allowsUpdates: options.loraUpdates === true,
      change: (make) => changeCard(() => make().then(() => adaptersOf(engine))),
      log,
    }),
    ...(kvEvents && { [kvEventsEndpoint]: kvEvents.handler }),
    ...engineHandlers(engine, requests, metrics, log),
  };
  const warnings = new Warnings(log);
  const onError = ({ message: reason }: Error, endpoint?: string) =>
    warnings.warn(reason, "request plane error", { reason, ...(endpoint !== undefined && { endpoint }) });
  const server = await serve(listen, handlers, { tls, nats, onError });
  await prepareRole(card.role, kv).catch(async (error) => {
    await server.close();
    await engine.close();
    throw error;
  });
  let leaving: Promise<void> | undefined;
  let cardChange: Promise<void> = Promise.resolve();
  const drained = Promise.withResolvers<void>();
  const drain = async (bounds: DrainBounds): Promise<void> => {
    if (leaving === undefined) leaving = leave(bounds).then(drained.resolve, drained.reject);
    else await server.drain(bounds.deadlineMs);
    return drained.promise;
  };
  const ops = await serveOps({
    listen: { host: options.opsHost, port: options.opsPort },
    registry: all.registry,
    live: () => true,
    health: () => ({
      status: leaving === undefined ? "ready" : "draining",
      model: card.name,
      engine: card.engine,
      role: instance.card.role,
      ...engine.stats(),
      ...kv.health(),
      ...(options.zmqEvents && { kvEventSources: kvEvents?.sources }),
    }),
  });
  measureDiscovery(all, discovery);
  const lease = await discovery.lease({ ttlMs: defaultTtlMs });
  let instance: Instance = {
    ...describeInstance(options, card, advertised(server.address)),
    ...(kvEvents && privacy && { kvEventsKey: privacy.fingerprint }),
    ...(kvEvents?.streamed && { kvEventsSubject: kvEvents.streamed.subject }),
  };
  await register(discovery, instance, lease);
  announcer.announce(instance);
  return {
    get instance() {
      return instance;
    },
    opsUrl: ops.address,
    drained: drained.promise,
    drain,
  };

  function openAgent(): Promise<KvTransferAgent> {
    const { name, kvTransfer, tls } = options;
    const listen = server.address;
    return openKvAgent({
      name,
      kind: kvTransfer?.kind ?? "auto",
      listen,
      advertised: advertised(listen),
      tls,
    });
  }

  function changeRole(role: WorkerRole): Promise<void> {
    return changeCard(() => prepareRole(role, kv).then(() => ({ role })));
  }

  /** Announces changes of the card. They wait for each other, so that discovery ends with the last one. */
  function changeCard(make: () => Promise<Partial<ModelCard>>): Promise<void> {
    const change = cardChange.then(async () => {
      const changes = await make();
      if (leaving !== undefined) throw new PlaneError("draining", "The worker is leaving.");
      instance = { ...instance, card: { ...instance.card, ...changes } };
      announcer.announce(instance);
      await register(discovery, instance, lease);
    });
    cardChange = change.catch(() => {});
    return change;
  }

  async function leave({ withinMs, deadlineMs }: DrainBounds): Promise<void> {
    instance = { ...instance, drainWithinMs: Math.min(Math.ceil(withinMs), 0xffffffff) };
    announcer.announce(instance);
    // Gateways must stop choosing the worker before it refuses requests.
    await Promise.race([
      cardChange
        .then(() => register(discovery, instance, lease))
        .catch((error) =>
          log.warn("cannot announce in discovery that this worker is leaving", { reason: String(error) }),
        ),
      sleep(ANNOUNCE_MS, undefined, { ref: false }),
    ]);
    if (requests.count > 0) log.info("draining", { requests: requests.count });
    await server.drain(deadlineMs);
    await lease.revoke();
    await ops.close();
    await kv.close();
    await engine.close();
    await kvEvents?.close();
  }
}

/** The LoRA adapters that it has now. */
const adaptersOf = ({ lora }: Engine): Pick<ModelCard, "loraAdapters"> =>
  lora === undefined ? {} : { loraAdapters: [...lora.names] };

/** The engine's card with the worker's role and formats. */
async function cardOf(engine: Engine, options: WorkerHostOptions): Promise<ModelCard> {
  const { name, role, toolParser, reasoningParser } = options;
  checkFirstAdapters(engine);
  const card = {
    ...(await checkedCard(engine, name)),
    ...adaptersOf(engine),
    ...(toolParser !== undefined && { toolParser }),
    ...(reasoningParser !== undefined && { reasoningParser }),
  };
  if (role === undefined) return card;
  checkRole(role, engine);
  return { ...card, role };
}

const register = (discovery: Discovery, instance: Instance, lease: Lease) =>
  discovery.put(`instances/${instance.id}`, instanceValue(instance), lease);

function describeInstance(options: WorkerHostOptions, card: ModelCard, address: string): Instance {
  const { namespace, name, definition, tags = [] } = options;
  return {
    id: randomId(),
    namespace,
    component: definition.name,
    address,
    name,
    pid: process.pid,
    card: { ...card, tags },
  };
}
