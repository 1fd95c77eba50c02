/** The port at which gateways ask the pods of `kubernetes:`, unless its URL names another. */
export const DEFAULT_WORKER_PORT = 7000;

/** Whether the URL is of discovery by the pods of a Kubernetes cluster. */
export const isKubernetes = (url: string | undefined): boolean => url?.startsWith("kubernetes:") === true;
