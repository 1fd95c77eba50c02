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
import { AnnouncedPods } from "./announced-pods.ts";
import type { PodEngine } from "./engines-of.ts";
import { followPods, type KubernetesFollower, type KubernetesSource } from "./follow.ts";
import { DEFAULT_WORKER_PORT } from "./place.ts";

/** How long opening waits for the first answers of the listed workers, in milliseconds. */
const ANSWERS_MS = 2_000;
const DRAIN_WITHIN_MS = 5_000;

/**
 * Discovery of the workers in a Kubernetes cluster's ready pods: `[NAMESPACE/]SERVICE[:PORT],…`, or
 * `?selector=SELECTOR&port=PORT&namespace=NAME&kubeconfig=FILE`; and of the gateways in those of
 * `?gateways=[NAMESPACE/]SERVICE[:PORT]`, once they are asked for. The cluster says which pods there are, and each says
 * itself what it is. Nothing is stored: leases and puts stay in this process. A worker needs no cluster for that.
 *
 * @throws DiscoveryError `bad_url` if the place names no pods, or the cluster's credentials are missing or unusable
 */
export async function openKubernetesDiscovery(place: string, options: DiscoveryOptions): Promise<Discovery> {
  if (options.isWorker === true) return openMemoryDiscovery(`kubernetes:${randomId()}`);
  const runtime = ["Deno", "Bun"].find((name) => name in globalThis);
  // Their node:https does not accept a cluster's own certificate authority.
  if (runtime !== undefined) throw wrong(`kubernetes: is not supported on ${runtime} yet; use Node.`);
  const discovery = new KubernetesDiscovery(sourcesOf(place), options);
  await discovery.open();
  return discovery;
}

class KubernetesDiscovery implements Discovery {
  readonly #own = openMemoryDiscovery(`kubernetes:${randomId()}`);
  readonly #sources: Sources;
  readonly #options: DiscoveryOptions;
  readonly #onError: (error: Error) => void;
  readonly #reachability: Reachability;
  readonly #opened: { close(): void }[] = [];
  /** Queries that the API server does not answer. */
  readonly #failing = new Set<object>();
  /** Resolves once the gateways are known, as far as they answer soon; undefined until they are asked for. */
  #gateways: Promise<void> | undefined;

  constructor(sources: Sources, options: DiscoveryOptions) {
    const { onError = () => {}, onState = () => {} } = options;
    this.#sources = sources;
    this.#options = options;
    this.#onError = onError;
    this.#reachability = new Reachability(onState);
  }

  get isReachable(): boolean {
    return this.#reachability.isReachable;
  }

  /** Resolves once the workers are known, as far as they answer soon. */
  async open(): Promise<void> {
    await this.#follow("worker");
  }

  /** Resolves once the processes are known, as far as they answer soon. */
  async #follow(kind: "worker" | "gateway"): Promise<void> {
    const source = this.#sources[kind];
    if (source === undefined) return;
    const { workerTls, drainWithinMs = DRAIN_WITHIN_MS } = this.#options;
    const isEncrypted = kind === "worker" ? hasAny(workerTls) : workerTls?.cert !== undefined;
    const onError = this.#onError;
    const pods = new AnnouncedPods(
      { kind, tls: isEncrypted ? workerTls : undefined, drainWithinMs },
      {
        // Fails only after `close`.
        put: (key, value) => void this.#own.put(key, value).catch(onError),
        delete: (key) => void this.#own.delete(key).catch(onError),
        onError,
      },
    );
    const follower = this.#followPods(source, kind, pods);
    this.#opened.push(follower, pods);
    await follower.first;
    await Promise.race([pods.first(), sleep(ANSWERS_MS, undefined, { ref: false })]);
  }

  #followPods(source: KubernetesSource, kind: "worker" | "gateway", pods: AnnouncedPods): KubernetesFollower {
    /** Pods by query. */
    const listed: (readonly PodEngine[])[] = [];
    return followPods(source, (where) => {
      const query = listed.push([]) - 1;
      return {
        replace: (all) => {
          listed[query] = all;
          pods.replace(listed.flat());
        },
        onNoPort: (ports) =>
          this.#onError(
            new Error(
              `Pods of ${where.selector} in ${where.namespace} do not have the ${kind}s' port, but ${ports}: give it as ${kind === "worker" ? "SERVICE:PORT or port=PORT" : "gateways=SERVICE:PORT"}.`,
            ),
          ),
        onUnavailable: (reason) => {
          this.#failing.add(where);
          this.#reachability.failed(new Error(reason));
        },
        onAvailable: () => {
          this.#failing.delete(where);
          if (this.#failing.size === 0) this.#reachability.answered();
        },
        close: () => {},
      };
    });
  }

  /** Gateways are followed by those who ask for them: not by each process of a gateway. */
  async #prepare(prefix: string): Promise<void> {
    const isAsked = prefix.startsWith(GATEWAYS) || GATEWAYS.startsWith(prefix);
    if (!isAsked) return;
    this.#gateways ??= this.#follow("gateway");
    await this.#gateways;
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

  async get(prefix: string): Promise<Map<string, JsonValue>> {
    await this.#prepare(prefix);
    return this.#own.get(prefix);
  }

  async watch(prefix: string, listener: (event: DiscoveryEvent) => void): Promise<Watch> {
    await this.#prepare(prefix);
    return this.#own.watch(prefix, listener);
  }

  async close(): Promise<void> {
    for (const each of this.#opened) each.close();
    await this.#own.close();
  }
}

/** Where the processes are; undefined for a kind that is not looked for. */
interface Sources {
  readonly worker: KubernetesSource | undefined;
  readonly gateway: KubernetesSource | undefined;
}

/** @throws DiscoveryError `bad_url` */
function sourcesOf(place: string): Sources {
  const [names = "", query = ""] = place.split("?", 2);
  const services = names.split(",").filter(Boolean);
  const parameters = new URLSearchParams(query);
  const unknown = [...parameters.keys()].find((name) => !PARAMETERS.includes(name));
  if (unknown !== undefined)
    throw wrong(`kubernetes: has no parameter "${unknown}", only ${PARAMETERS.join(", ")}.`);
  const given = (name: string) => parameters.get(name) || undefined;
  const [selector, namespace, gateways] = [given("selector"), given("namespace"), given("gateways")];
  const fault = [...services, ...(gateways === undefined ? [] : [gateways])].find(
    (service) => !SERVICE.test(service),
  );
  if (fault !== undefined) throw wrong(`"${fault}" is not a service: write [NAMESPACE/]NAME[:PORT].`);
  const hasWorkers = services.length > 0 || selector !== undefined;
  if (!hasWorkers && gateways === undefined)
    throw wrong(
      "kubernetes: must say which pods are workers: kubernetes:SERVICE or kubernetes:?selector=app%3DNAME.",
    );
  const shared = { namespace, access: accessTo(given("kubeconfig")) };
  const port = given("port") ?? String(DEFAULT_WORKER_PORT);
  return {
    worker: hasWorkers ? { ...shared, services, selector, port } : undefined,
    gateway:
      gateways === undefined
        ? undefined
        : { ...shared, services: [gateways], selector: undefined, port: String(DEFAULT_WORKER_PORT) },
  };
}

/** @throws DiscoveryError `bad_url` */
function accessTo(kubeconfig: string | undefined): KubernetesSource["access"] {
  try {
    return findClusterAccess(kubeconfig);
  } catch (error) {
    throw error instanceof ClusterAccessError ? wrong(error.message) : error;
  }
}

const GATEWAYS = "gateways/";
const PARAMETERS = ["selector", "port", "namespace", "kubeconfig", "gateways"];
const SERVICE = /^([a-z\d][a-z\d.-]*\/)?[a-z\d][a-z\d.-]*(:[a-z\d-]+)?$/;

const hasAny = (tls: ClientTls | undefined) =>
  tls !== undefined && Object.values(tls).some((file) => file !== undefined);

const wrong = (message: string) => new DiscoveryError("bad_url", message);
