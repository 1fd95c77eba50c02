import type { Logger } from "../../log.ts";
import type { ClusterAccess } from "./access.ts";
import { KubernetesApi, type KubernetesObject, type Resource } from "./api.ts";
import { enginesOfPods, enginesOfSlices, type OnNoPort, type PodEngine } from "./engines-of.ts";
import { ListWatch } from "./list-watch.ts";

/** Which pods in a cluster to follow. */
export interface KubernetesSource {
  /** Of services: `[NAMESPACE/]NAME[:PORT]`. */
  readonly services: readonly string[];
  /** Of pods: a label selector. */
  readonly selector: string | undefined;
  readonly namespace: string | undefined;
  /** Name or number of the pods' port. */
  readonly port: string | undefined;
  readonly access: ClusterAccess;
}

export interface KubernetesFollower {
  /** Settles once the pods have been listed for the first time, or that has failed. */
  readonly first: Promise<void>;
  close(): void;
}

/** How long start-up waits for the cluster, in milliseconds. */
const FIRST_MS = 5_000;

/** Receives the pods of one query. */
export interface PodListener {
  /** Replaces the pods with these. */
  replace(pods: readonly PodEngine[]): void;
  /** Ready pods do not have the wanted port; called once for each list of ports that they do have. */
  onNoPort(ports: string): void;
  /** The API server does not answer; the pods known so far stay valid. */
  onUnavailable(reason: string): void;
  /** It answers again. */
  onAvailable(): void;
  /** The query has ended. */
  close(): void;
}

/** The namespace and the label selector of a query. */
export interface QueryPlace {
  readonly namespace: string;
  readonly selector: string;
}

/**
 * Follows a cluster's ready pods.
 * @param listen called for each query
 */
export function followPods(
  source: KubernetesSource,
  listen: (where: QueryPlace) => PodListener,
): KubernetesFollower {
  const api = new KubernetesApi(source.access);
  const first: Promise<void>[] = [];
  const queries = queriesOf(source);
  const isInSeveral = new Set(queries.map(({ resource }) => resource.namespace)).size > 1;
  const watches = queries.map(({ resource, enginesIn }) => {
    const { namespace } = resource;
    const told = Promise.withResolvers<void>();
    first.push(told.promise);
    const listener = listen({ namespace, selector: resource.labelSelector });
    const unfit = new Set<string>();
    const onNoPort = (ports: string) => {
      if (unfit.has(ports)) return;
      unfit.add(ports);
      listener.onNoPort(ports);
    };
    const watch = new ListWatch(api, resource, {
      onObjects(objects) {
        const pods = enginesIn(objects, onNoPort);
        listener.replace(
          // Pods of two namespaces can share a name.
          isInSeveral ? pods.map((pod) => ({ ...pod, name: `${namespace}.${pod.name}` })) : pods,
        );
        told.resolve();
      },
      onUnavailable(reason) {
        listener.onUnavailable(reason);
        told.resolve();
      },
      onAvailable: () => listener.onAvailable(),
    });
    watch.open();
    return { watch, listener };
  });
  return {
    first: Promise.race([
      Promise.all(first).then(() => {}),
      new Promise<void>((resolve) => setTimeout(resolve, FIRST_MS).unref()),
    ]),
    close() {
      for (const { watch, listener } of watches) {
        watch.close();
        listener.close();
      }
    },
  };
}

/** Receives the engines of one query. */
export type EngineListener = Pick<PodListener, "replace" | "close">;

/**
 * Follows a cluster's engines, and logs what stands in the way.
 * @param listen called for each query
 */
export const followKubernetes = (
  source: KubernetesSource,
  listen: () => EngineListener,
  log: Logger,
): KubernetesFollower =>
  followPods(source, (where) => {
    const engines = listen();
    return {
      replace: (pods) => engines.replace(pods),
      close: () => engines.close(),
      onNoPort: (ports) =>
        log.error("pods do not have the requested port: see --kubernetes-port", { ...where, ports }),
      onUnavailable: (reason) =>
        log.error("cannot list engines in Kubernetes; keeping the known ones", { ...where, reason }),
      onAvailable: () => log.info("can list engines in Kubernetes again", { ...where }),
    };
  });

interface Query {
  readonly resource: Resource;
  enginesIn(objects: readonly KubernetesObject[], onNoPort: OnNoPort): PodEngine[];
}

function queriesOf({
  services,
  selector,
  port,
  access,
  namespace = access.namespace,
}: KubernetesSource): Query[] {
  const queries = services.map((text): Query => {
    const [, of = namespace, name = "", wanted] = /^(?:([^/:]+)\/)?([^/:]+)(?::(.+))?$/.exec(text) ?? [];
    return {
      resource: {
        group: "/apis/discovery.k8s.io/v1",
        kind: "endpointslices",
        namespace: of,
        labelSelector: `kubernetes.io/service-name=${name}`,
      },
      enginesIn: (slices, onNoPort) => enginesOfSlices(slices, wanted ?? port, onNoPort),
    };
  });
  if (selector === undefined) return queries;
  const resource: Resource = { group: "/api/v1", kind: "pods", namespace, labelSelector: selector };
  return [...queries, { resource, enginesIn: (pods, onNoPort) => enginesOfPods(pods, port, onNoPort) }];
}
