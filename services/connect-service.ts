import { POLICY_NAMES, type PolicyName } from "#gateway";
import {
  type ClientCall,
  type ClientTls,
  createLogger,
  createMetrics,
  type Discovery,
  type Logger,
  messageOf,
  requestId as newRequestId,
  PlaneError,
  type RequestPlaneClient,
} from "#runtime";
import { natsServers } from "#runtime/node";
import { Answer } from "./answer.ts";
import { type Codec, codecOf } from "./codec.ts";
import type { Endpoints, ServiceDefinition } from "./define-service.ts";
import { typedEndpoint } from "./define-service.ts";
import { type InstanceRoute, ServiceInstances } from "./instances.ts";
import { openStore } from "./open-store.ts";
import { frameRequest } from "./registration.ts";

export interface ConnectServiceOptions {
  /** Where the service registers: `file:/dir`, `etcd://HOST:PORT`, `nats://HOST:PORT`, or a discovery that is open. */
  readonly discovery: string | Discovery;
  /** How an instance is chosen for each request. Default `round-robin`. */
  readonly policy?: PolicyName;
  /**
   * What the policies `kv` and `prefix-hash` compare: requests that begin with the same tokens go to the same instance.
   * Any numbers that stand for the request's parts will do.
   */
  readonly tokensOf?: (request: unknown, endpoint: string) => Uint32Array | readonly number[];
  /** Longest time to wait for an instance, in milliseconds. Default 5,000. */
  readonly waitMs?: number;
  /** Certificates for instances with TLS. */
  readonly tls?: ClientTls | undefined;
  /** NATS servers of instances at `nats:`; default: those of a discovery in NATS. */
  readonly nats?: string | undefined;
  readonly log?: Logger;
}

export interface ServiceCallOptions {
  /** Cancels the request. */
  readonly signal?: AbortSignal;
  /** Milliseconds until the request fails with `deadline_exceeded`, on both sides; at once if there are none. Default: no deadline. */
  readonly deadlineMs?: number;
  /** The id of the request in logs. Default: a new one. */
  readonly requestId?: string;
  /** Only this instance, by its name or id. */
  readonly instance?: string;
  /**
   * Whether it may be sent again if the instance is lost before its first item, although that may have acted on it.
   * Default false. A request that no instance has taken is always sent to another one.
   */
  readonly isRepeatable?: boolean;
}

type RequestOf<Own> = Own extends (request: infer Request, ...rest: never[]) => unknown
  ? Request
  : Own extends { readonly handle: (request: infer Request, ...rest: never[]) => unknown }
    ? Request
    : never;

type AnswerOf<Own> = Own extends (...given: never[]) => infer Given
  ? Given
  : Own extends { readonly handle: (...given: never[]) => infer Given }
    ? Given
    : never;

type CallOf<Own> = (
  request: RequestOf<Own>,
  options?: ServiceCallOptions,
) => AnswerOf<Own> extends AsyncIterable<infer Item> ? AsyncIterable<Item> : Promise<Awaited<AnswerOf<Own>>>;

/** The endpoints of a service, as methods. */
export type ServiceClient<Own extends Endpoints> = { readonly [Name in keyof Own]: CallOf<Own[Name]> } & {
  /** Resolves when an instance is connected. @throws PlaneError `connection_lost` after `waitMs` */
  ready(): Promise<void>;
  /** The names of the instances that are connected. */
  instances(): string[];
  close(): Promise<void>;
};

/**
 * Connects to the instances of a service, those of now and those to come.
 *
 * @throws DiscoveryError for a discovery that does not open; TypeError for an unknown policy
 * @example
 * const client = await connectService(hello, { discovery: "file:/tmp/hello" });
 * for await (const line of client.greet(["Ada", "Alan"])) console.log(line);
 * await client.close();
 */
export async function connectService<Own extends Endpoints>(
  service: ServiceDefinition<Own>,
  options: ConnectServiceOptions,
): Promise<ServiceClient<Own>> {
  const { policy = "round-robin" } = options;
  if (!POLICY_NAMES.includes(policy))
    throw new TypeError(`'${policy}' is no policy: use one of ${POLICY_NAMES.join(", ")}.`);
  const isOwn = typeof options.discovery === "string";
  const discovery = isOwn ? await openStore(options.discovery as string) : (options.discovery as Discovery);
  const log = options.log ?? createLogger({ name: `${service.name}-client`, level: "warn" });
  const nats = natsServers(options.nats, isOwn ? (options.discovery as string) : undefined);
  const instances = await ServiceInstances.open(service.name, {
    discovery,
    policy,
    connect: { tls: options.tls, nats },
    metrics: createMetrics({ process: false }),
    log,
  }).catch(async (error) => {
    if (isOwn) await discovery.close();
    throw error;
  });
  const calls = Object.fromEntries(
    Object.entries(service.endpoints).map(([name, given]) => {
      const { request, response, handle } = typedEndpoint(given);
      const codecs = { request: codecOf(request), response: codecOf(response) };
      const isStream = handle.constructor.name === "AsyncGeneratorFunction";
      return [
        name,
        (value: unknown, callOptions: ServiceCallOptions = {}) => {
          const answer = startCall(instances, name, codecs, value, callOptions, options);
          return isStream ? answer.stream : answer;
        },
      ];
    }),
  );
  const waitMs = options.waitMs ?? WAIT_MS;
  return Object.assign(calls, {
    ready: () => instances.ready(waitMs),
    instances: () => instances.names(),
    async close() {
      instances.close();
      if (isOwn) await discovery.close();
    },
  }) as unknown as ServiceClient<Own>;
}

const WAIT_MS = 5_000;

interface Codecs {
  readonly request: Codec<unknown>;
  readonly response: Codec<unknown>;
}

function startCall(
  instances: ServiceInstances,
  endpoint: string,
  codecs: Codecs,
  value: unknown,
  call: ServiceCallOptions,
  { tokensOf, waitMs = WAIT_MS }: ConnectServiceOptions,
): Answer {
  const requestId = newRequestId(call.requestId);
  const payload = frameRequest(requestId, codecs.request.encode(value));
  const compared = tokensOf?.(value, endpoint) ?? NO_TOKENS;
  const tokens = compared instanceof Uint32Array ? compared : Uint32Array.from(compared);
  const answer = new Answer((bytes) => decodeAnswer(codecs.response, bytes, endpoint));
  const { deadlineMs = Number.POSITIVE_INFINITY } = call;
  const deadlineAt = performance.now() + deadlineMs;
  const excluded: string[] = [];
  void run();
  return answer;

  async function run(): Promise<void> {
    for (;;) {
      try {
        call.signal?.throwIfAborted();
        const route = await choose();
        const failure = await once(route.client, () => route.firstItem());
        route.free();
        if (failure === undefined) return;
        excluded.push(route.id);
        const wasTaken = failure.code === "connection_lost";
        const isRefusal = failure.code === "draining" || failure.code === "overloaded";
        if (answer.hasBegun || !(isRefusal || (wasTaken && call.isRepeatable === true))) throw failure;
      } catch (error) {
        answer.fail(error instanceof Error ? error : new Error(String(error)));
        return;
      }
    }
  }

  /** Chooses an instance. @throws PlaneError `deadline_exceeded` if the deadline passes first */
  async function choose(): Promise<InstanceRoute> {
    const leftMs = deadlineAt - performance.now();
    // A deadline that is not a number has passed, too.
    if (!(leftMs > 0)) throw expired();
    const request = { requestId, tokens, excluded, name: call.instance };
    if (leftMs > waitMs) return instances.route(request, waitMs);
    return instances.route(request, leftMs, expired);
  }

  function expired(): PlaneError {
    return new PlaneError("deadline_exceeded", `The call did not end within ${deadlineMs} ms.`);
  }

  /** Calls one instance. @returns why it has failed */
  function once(client: RequestPlaneClient, onFirst: () => void): Promise<PlaneError | undefined> {
    return new Promise((resolve) => {
      let isFirst = true;
      const running: ClientCall = client.call(
        endpoint,
        payload,
        {
          onMessage(bytes) {
            if (isFirst) onFirst();
            isFirst = false;
            if (!answer.push(bytes)) running.pause();
          },
          onEnd() {
            end();
            answer.end();
            resolve(undefined);
          },
          onError(error) {
            end();
            resolve(answer.isCancelled ? undefined : error);
          },
        },
        deadlineMs === Number.POSITIVE_INFINITY
          ? {}
          : { deadlineMs: Math.max(1, deadlineAt - performance.now()) },
      );
      const cancel = () => {
        answer.fail(
          call.signal?.reason instanceof Error
            ? call.signal.reason
            : new PlaneError("cancelled", "The call was cancelled."),
        );
        running.cancel();
      };
      const end = () => call.signal?.removeEventListener("abort", cancel);
      call.signal?.addEventListener("abort", cancel);
      answer.onDrained = () => running.resume();
      answer.onCancel = () => running.cancel();
    });
  }
}

/** @throws PlaneError `internal` that names the endpoint, in place of what the codec throws */
function decodeAnswer(codec: Codec<unknown>, bytes: Uint8Array, endpoint: string): unknown {
  try {
    return codec.decode(bytes);
  } catch (cause) {
    const reason = messageOf(cause);
    throw new PlaneError("internal", `The answer of '${endpoint}' is not valid: ${reason}`, { cause });
  }
}

const NO_TOKENS = new Uint32Array(0);
