import type { EngineSpec } from "#gateway";
import { ClusterAccessError, findClusterAccess, type KubernetesSource } from "#runtime/node";
import { UsageError } from "../options/read.ts";
import type { OptionValues } from "../options/spec.ts";
import type { attachOptions } from "../options/tables.ts";

type Options = OptionValues<typeof attachOptions>;

/** A source of engines, and their role if the operator has named it. */
export interface EngineSource {
  readonly source: KubernetesSource;
  readonly role: EngineSpec["role"];
}

/**
 * The engines' sources in a Kubernetes cluster; none without a Kubernetes flag.
 * @throws UsageError if the cluster's credentials are missing or unusable
 */
export function kubernetesSources(options: Options): EngineSource[] {
  const { "kubernetes-service": services, "kubernetes-selector": selector } = options;
  const { "kubernetes-namespace": namespace, "kubernetes-port": port, kubeconfig } = options;
  const wanted = [
    { services, selector, role: undefined },
    { services: options["kubernetes-encode-service"], selector: undefined, role: "encode" as const },
    { services: options["kubernetes-prefill-service"], selector: undefined, role: "prefill" as const },
    { services: options["kubernetes-decode-service"], selector: undefined, role: "decode" as const },
  ].filter((each) => each.services.length > 0 || each.selector !== undefined);
  if (wanted.length === 0) {
    const alone = [
      namespace !== undefined && "--kubernetes-namespace",
      port !== undefined && "--kubernetes-port",
      kubeconfig !== undefined && "--kubeconfig",
    ].find((flag) => flag !== false);
    if (alone !== undefined)
      throw new UsageError(`${alone} needs --kubernetes-service or --kubernetes-selector too.`);
    return [];
  }
  const runtime = ["Deno", "Bun"].find((name) => name in globalThis);
  if (runtime !== undefined) {
    const flag = selector === undefined ? "--kubernetes-service" : "--kubernetes-selector";
    throw new UsageError(`${flag} is not supported on ${runtime} yet; run stator attach on Node.`);
  }
  try {
    const access = findClusterAccess(kubeconfig);
    return wanted.map(({ role, ...source }) => ({ role, source: { ...source, namespace, port, access } }));
  } catch (error) {
    throw error instanceof ClusterAccessError ? new UsageError(error.message) : error;
  }
}
