import { setTimeout as sleep } from "node:timers/promises";
import { randomId } from "../../ids.ts";
import type { ClientTls } from "../../request-plane/types.ts";
import { openMemoryDiscovery } from "../memory.ts";
import { Reachability } from "../reachability.ts";
import {
  type Discovery,
  DiscoveryError,
  type DiscoveryEvent,
  type DiscoveryOptions,
  type JsonValue,
  type Lease,
  type Watch,
} from "../types.ts";
import { ClusterAccessError, findClusterAccess } from "./access.ts";
import type { PodEngine } from "./engines-of.ts";
import { followPods, type KubernetesFollower, type KubernetesSource } from "./follow.ts";
import { DEFAULT_WORKER_PORT } from "./place.ts";
import { WorkerPods } from "./worker-pods.ts";

/** How long opening waits for the first answers of the listed workers, in milliseconds. */
const ANSWERS_MS = 2_000;
const DRAIN_WITHIN_MS = 5_000;

/**
 * Discovery of the workers in a Kubernetes cluster's ready pods: `[NAMESPACE/]SERVICE[:PORT],…`, or
 * `?selector=SELECTOR&port=PORT&namespace=NAME&kubeconfig=FILE`. The cluster says which pods there are, and each says
 * itself what it is. Nothing is stored: leases and puts stay in this process. A worker needs no cluster for that.
 *
 * @throws DiscoveryError `bad_url` if the place names no pods, or the cluster's credentials are missing or unusable
 */
export async function openKubernetesDiscovery(place: string, options: DiscoveryOptions): Promise<Discovery> {
  if (options.isWorker === true) return openMemoryDiscovery(`kubernetes:${randomId()}`);
  const runtime = ["Deno", "Bun"].find((name) => name in globalThis);
  // Their node:https does not accept a cluster's own certificate authority.
  if (runtime !== undefined) throw wrong(`kubernetes: is not supported on ${runtime} yet; use Node.`);
  const discovery = new KubernetesDiscovery(sourceOf(place), options);
  await discovery.open();
  return discovery;
}

class KubernetesDiscovery implements Discovery {
  readonly #own = openMemoryDiscovery(`kubernetes:${randomId()}`);
  readonly #source: KubernetesSource;
  readonly #onError: (error: Error) => void;
  readonly #reachability: Reachability;
  readonly #pods: WorkerPods;
  /** Pods by query. */
  readonly #listed: (readonly PodEngine[])[] = [];
  /** Queries that the API server does not answer. */
  readonly #failing = new Set<number>();
  #follower: KubernetesFollower | undefined;

  constructor(
    source: KubernetesSource,
    { onError = () => {}, onState = () => {}, workerTls, drainWithinMs = DRAIN_WITHIN_MS }: DiscoveryOptions,
  ) {
    this.#source = source;
    this.#onError = onError;
    this.#reachability = new Reachability(onState);
    const tls = hasAny(workerTls) ? workerTls : undefined;
    this.#pods = new WorkerPods(
      { tls, drainWithinMs },
      {
        // Fails only after `close`.
        put: (key, value) => void this.#own.put(key, value).catch(onError),
        delete: (key) => void this.#own.delete(key).catch(onError),
        onError,
      },
    );
  }

  get isReachable(): boolean {
    return this.#reachability.isReachable;
  }

  /** Resolves once the workers are known, as far as they answer soon. */
  async open(): Promise<void> {
    this.#follower = followPods(this.#source, (where) => {
      const query = this.#listed.push([]) - 1;
      return {
        replace: (pods) => {
          this.#listed[query] = pods;
          this.#pods.replace(this.#listed.flat());
        },
        onNoPort: (ports) =>
          this.#onError(
            new Error(
              `Pods of ${where.selector} in ${where.namespace} do not have the workers' port, but ${ports}: give it as SERVICE:PORT or port=PORT.`,
            ),
          ),
        onUnavailable: (reason) => {
          this.#failing.add(query);
          this.#reachability.failed(new Error(reason));
        },
        onAvailable: () => {
          this.#failing.delete(query);
          if (this.#failing.size === 0) this.#reachability.answered();
        },
        close: () => {},
      };
    });
    await this.#follower.first;
    await Promise.race([this.#pods.first(), sleep(ANSWERS_MS, undefined, { ref: false })]);
  }

  lease(): Promise<Lease> {
    return this.#own.lease();
  }

  put(key: string, value: JsonValue, lease?: Lease): Promise<void> {
    return this.#own.put(key, value, lease);
  }

  delete(key: string): Promise<void> {
    return this.#own.delete(key);
  }

  get(prefix: string): Promise<Map<string, JsonValue>> {
    return this.#own.get(prefix);
  }

  watch(prefix: string, listener: (event: DiscoveryEvent) => void): Promise<Watch> {
    return this.#own.watch(prefix, listener);
  }

  async close(): Promise<void> {
    this.#follower?.close();
    this.#pods.close();
    await this.#own.close();
  }
}

/** @throws DiscoveryError `bad_url` */
function sourceOf(place: string): KubernetesSource {
  const [names = "", query = ""] = place.split("?", 2);
  const services = names.split(",").filter(Boolean);
  const parameters = new URLSearchParams(query);
  const unknown = [...parameters.keys()].find((name) => !PARAMETERS.includes(name));
  if (unknown !== undefined)
    throw wrong(`kubernetes: has no parameter "${unknown}", only ${PARAMETERS.join(", ")}.`);
  const fault = services.find((service) => !SERVICE.test(service));
  if (fault !== undefined) throw wrong(`"${fault}" is not a service: write [NAMESPACE/]NAME[:PORT].`);
  const given = (name: string) => parameters.get(name) || undefined;
  const selector = given("selector");
  if (services.length === 0 && selector === undefined)
    throw wrong(
      "kubernetes: must say which pods are workers: kubernetes:SERVICE or kubernetes:?selector=app%3DNAME.",
    );
  try {
    return {
      services,
      selector,
      namespace: given("namespace"),
      port: given("port") ?? String(DEFAULT_WORKER_PORT),
      access: findClusterAccess(given("kubeconfig")),
    };
  } catch (error) {
    throw error instanceof ClusterAccessError ? wrong(error.message) : error;
  }
}

const PARAMETERS = ["selector", "port", "namespace", "kubeconfig"];
const SERVICE = /^([a-z\d][a-z\d.-]*\/)?[a-z\d][a-z\d.-]*(:[a-z\d-]+)?$/;

const hasAny = (tls: ClientTls | undefined) =>
  tls !== undefined && Object.values(tls).some((file) => file !== undefined);

const wrong = (message: string) => new DiscoveryError("bad_url", message);
