/** The port at which gateways ask the pods of `kubernetes:`, unless its URL names another. */
export const DEFAULT_WORKER_PORT = 7000;

/** Whether the URL is of discovery by the pods of a Kubernetes cluster. */
export const isKubernetes = (url: string | undefined): boolean => url?.startsWith("kubernetes:") === true;

/** Whether gateways find each other by the URL's discovery, which `kubernetes:` does only if it names their service. */
export const findsGateways = (url: string): boolean =>
  !isKubernetes(url) || Boolean(parametersOf(url).get("gateways"));

/** Whether gateways find each other by the URL's discovery, but no workers in pods. */
export const findsNoPodWorkers = (url: string): boolean =>
  findsGateways(url) &&
  !(isKubernetes(url) && (/^kubernetes:[^?]/.test(url) || parametersOf(url).has("selector")));

const parametersOf = (url: string) => new URLSearchParams(url.split("?", 2)[1]);
