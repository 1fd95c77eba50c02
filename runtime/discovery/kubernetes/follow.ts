import type { Logger } from "../../log.ts";
import type { ClusterAccess } from "./access.ts";
import { KubernetesApi, type KubernetesObject, type Resource } from "./api.ts";
import { enginesOfPods, enginesOfSlices, type OnNoPort, type PodEngine } from "./engines-of.ts";
import { ListWatch } from "./list-watch.ts";

/** Which engines in a cluster to follow. */
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
  /** Settles once the engines have been listed for the first time, or that has failed. */
  readonly first: Promise<void>;
  close(): void;
}

/** How long start-up waits for the cluster, in milliseconds. */
const FIRST_MS = 5_000;

/** Receives the engines of one query. */
export interface EngineListener {
  /** Replaces the engines with these. */
  replace(engines: readonly PodEngine[]): void;
  /** The query has ended. */
  close(): void;
}

/**
 * Follows a cluster's engines.
 * @param listen called for each query
 */
export function followKubernetes(
  source: KubernetesSource,
  listen: () => EngineListener,
  log: Logger,
): KubernetesFollower {
  const api = new KubernetesApi(source.access);
  const first: Promise<void>[] = [];
  const queries = queriesOf(source);
  const isInSeveral = new Set(queries.map(({ resource }) => resource.namespace)).size > 1;
  const watches = queries.map(({ resource, enginesIn }) => {
    const { namespace } = resource;
    const group = listen();
    const told = Promise.withResolvers<void>();
    first.push(told.promise);
    const where = { namespace, selector: resource.labelSelector };
    const unfit = new Set<string>();
    const onNoPort = (ports: string) => {
      if (unfit.has(ports)) return;
      unfit.add(ports);
      log.error("pods do not have the requested port: see --kubernetes-port", { ...where, ports });
    };
    const watch = new ListWatch(api, resource, {
      onObjects(objects) {
        const engines = enginesIn(objects, onNoPort);
        group.replace(
          // Pods of two namespaces can share a name.
          isInSeveral
            ? engines.map((engine) => ({ ...engine, name: `${namespace}.${engine.name}` }))
            : engines,
        );
        told.resolve();
      },
      onUnavailable(reason) {
        log.error("cannot list engines in Kubernetes; keeping the known ones", { ...where, reason });
        told.resolve();
      },
      onAvailable: () => log.info("can list engines in Kubernetes again", where),
    });
    watch.open();
    return { watch, group };
  });
  return {
    first: Promise.race([
      Promise.all(first).then(() => {}),
      new Promise<void>((resolve) => setTimeout(resolve, FIRST_MS).unref()),
    ]),
    close() {
      for (const { watch, group } of watches) {
        watch.close();
        group.close();
      }
    },
  };
}

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
