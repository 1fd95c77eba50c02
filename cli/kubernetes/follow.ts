import type { EngineSpec, ListeningGateway } from "#gateway";
import type { Logger } from "#runtime";
import type { ClusterAccess } from "./access.ts";
import { KubernetesApi, type KubernetesObject, type Resource } from "./api.ts";
import { enginesOfPods, enginesOfSlices, type PodEngine } from "./engines-of.ts";
import { ListWatch } from "./list-watch.ts";

type Attached = ListeningGateway["models"]["attached"];

/** Where in a cluster engines are. */
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
  /** Settled when the cluster has told its engines for the first time, or cannot. */
  readonly first: Promise<void>;
  close(): void;
}

/** How long a start waits for the cluster, in milliseconds. */
const FIRST_MS = 5_000;

/**
 * Attaches the engines that a cluster has, and detaches them as they go.
 * @param complete adds what flags say of all engines
 */
export function followKubernetes(
  source: KubernetesSource,
  attached: Attached,
  complete: (spec: EngineSpec) => EngineSpec,
  log: Logger,
): KubernetesFollower {
  const api = new KubernetesApi(source.access);
  const first: Promise<void>[] = [];
  const watches = queriesOf(source).map(({ resource, enginesIn }) => {
    const group = new EngineGroup(attached, complete, log);
    const told = Promise.withResolvers<void>();
    first.push(told.promise);
    const where = { namespace: resource.namespace, selector: resource.labelSelector };
    return new ListWatch(api, resource, {
      onObjects(objects) {
        group.become(enginesIn(objects));
        told.resolve();
      },
      onTrouble(reason) {
        log.error("Kubernetes cannot be asked for engines; those known stay", { ...where, reason });
        told.resolve();
      },
      onRelief: () => log.info("Kubernetes can be asked for engines again", where),
    });
  });
  for (const watch of watches) watch.open();
  return {
    first: Promise.race([
      Promise.all(first).then(() => {}),
      new Promise<void>((resolve) => setTimeout(resolve, FIRST_MS).unref()),
    ]),
    close() {
      for (const watch of watches) watch.close();
    },
  };
}

interface Query {
  readonly resource: Resource;
  enginesIn(objects: readonly KubernetesObject[]): PodEngine[];
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
      enginesIn: (slices) => enginesOfSlices(slices, wanted ?? port),
    };
  });
  if (selector === undefined) return queries;
  const resource: Resource = { group: "/api/v1", kind: "pods", namespace, labelSelector: selector };
  return [...queries, { resource, enginesIn: (pods) => enginesOfPods(pods, port) }];
}

/** The engines that one question to the cluster has brought. */
class EngineGroup {
  readonly #attached: Attached;
  readonly #complete: (spec: EngineSpec) => EngineSpec;
  readonly #log: Logger;
  /** By name: what was attached, as it was told. */
  readonly #own = new Map<string, string>();
  #wanted: readonly PodEngine[] = [];

  constructor(attached: Attached, complete: (spec: EngineSpec) => EngineSpec, log: Logger) {
    this.#attached = attached;
    this.#complete = complete;
    this.#log = log;
    // What drains keeps its name until it is gone: only then can it come again.
    attached.watch((engine) => {
      if (engine.state === "gone" && this.#own.delete(engine.name)) queueMicrotask(() => this.#add());
    });
  }

  /** These are all engines that there are now. */
  become(engines: readonly PodEngine[]): void {
    this.#wanted = engines;
    const wanted = new Map(engines.map((engine) => [engine.name, JSON.stringify(engine)]));
    for (const [name, told] of this.#own) {
      const now = wanted.get(name);
      if (now === told) continue;
      // One that is somewhere else now is not there any more to end what it was doing.
      if (now !== undefined) this.#attached.detach(name);
      else if (this.#attached.engine(name) !== undefined) this.#attached.drain(name);
    }
    this.#add();
  }

  #add(): void {
    for (const engine of this.#wanted) {
      const { name } = engine;
      if (this.#own.has(name)) continue;
      if (this.#attached.engine(name) !== undefined) {
        this.#log.warn("an engine of the cluster has a name that is taken", { engine: name });
        continue;
      }
      this.#own.set(name, JSON.stringify(engine));
      this.#attached.attach(this.#complete(engine));
    }
  }
}
