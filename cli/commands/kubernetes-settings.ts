import { ClusterAccessError, findClusterAccess, type KubernetesSource } from "#runtime/node";
import { UsageError } from "../options/read.ts";
import type { OptionValues } from "../options/spec.ts";
import type { attachOptions } from "../options/tables.ts";

type Options = OptionValues<typeof attachOptions>;

/**
 * The engines' source in a Kubernetes cluster; undefined without a Kubernetes flag.
 * @throws UsageError if the cluster's credentials are missing or unusable
 */
export function kubernetesSource(options: Options): KubernetesSource | undefined {
  const { "kubernetes-service": services, "kubernetes-selector": selector } = options;
  const { "kubernetes-namespace": namespace, "kubernetes-port": port, kubeconfig } = options;
  if (services.length === 0 && selector === undefined) {
    const alone = [
      namespace !== undefined && "--kubernetes-namespace",
      port !== undefined && "--kubernetes-port",
      kubeconfig !== undefined && "--kubeconfig",
    ].find((flag) => flag !== false);
    if (alone !== undefined)
      throw new UsageError(`${alone} needs --kubernetes-service or --kubernetes-selector too.`);
    return undefined;
  }
  const runtime = ["Deno", "Bun"].find((name) => name in globalThis);
  if (runtime !== undefined) {
    const flag = services.length > 0 ? "--kubernetes-service" : "--kubernetes-selector";
    throw new UsageError(`${flag} is not supported on ${runtime} yet; run stator attach on Node.`);
  }
  try {
    return { services, selector, namespace, port, access: findClusterAccess(kubeconfig) };
  } catch (error) {
    throw error instanceof ClusterAccessError ? new UsageError(error.message) : error;
  }
}
