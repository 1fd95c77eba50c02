import { z } from "zod";
import type { KubernetesObject } from "./api.ts";

/** An engine in the cluster. */
export interface PodEngine {
  readonly name: string;
  /** `http://HOST:PORT` */
  readonly url: string;
  /** `key=value` */
  readonly tags?: readonly string[];
  /** Tokens in a KV block. */
  readonly blockSize?: number;
  /** The source of its KV events. */
  readonly kvEvents?: { readonly endpoint: string; readonly replayEndpoint: string | undefined };
}

/** A port by its number or its name; undefined: the only one, or the one named `http`. */
export type WantedPort = string | undefined;

const port = z.looseObject({ name: z.string().nullish(), port: z.number().optional() });

/** https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/ */
const endpointSlice = z.looseObject({
  addressType: z.string().default("IPv4"),
  ports: z.array(port).nullish(),
  endpoints: z
    .array(
      z.looseObject({
        addresses: z.array(z.string()),
        conditions: z
          .looseObject({ ready: z.boolean().nullish(), terminating: z.boolean().nullish() })
          .nullish(),
        targetRef: z.looseObject({ kind: z.string().optional(), name: z.string().optional() }).nullish(),
      }),
    )
    .nullish(),
});

/** Called with the ports of a ready pod if none matches. */
export type OnNoPort = (ports: string) => void;

/**
 * The ready, non-terminating engines in a service's EndpointSlices. A pod can be in several slices: while it moves from
 * one to another, and with an address of each family, of which IPv4 is used.
 */
export function enginesOfSlices(
  objects: readonly KubernetesObject[],
  wanted: WantedPort,
  onNoPort: OnNoPort = () => {},
): PodEngine[] {
  const engines = new Map<string, PodEngine>();
  const slices = objects.flatMap((object) => endpointSlice.safeParse(object).data ?? []);
  for (const slice of [...slices.filter(isIPv4), ...slices.filter((each) => !isIPv4(each))]) {
    if (slice.addressType === "FQDN") continue;
    const ports = slice.ports ?? [];
    // A headless service need not name ports.
    const number = choosePort(ports, wanted) ?? (ports.length === 0 ? numberIn(wanted) : undefined);
    for (const { addresses, conditions, targetRef } of slice.endpoints ?? []) {
      // A missing readiness means ready.
      if (conditions?.ready === false || conditions?.terminating === true) continue;
      const [address] = addresses;
      if (address === undefined) continue;
      if (number === undefined) {
        onNoPort(textOf(ports));
        break;
      }
      const host = hostOf(address);
      const name = targetRef?.kind === "Pod" && targetRef.name ? targetRef.name : `${host}:${number}`;
      if (!engines.has(name)) engines.set(name, { name, url: `http://${host}:${number}` });
    }
  }
  return [...engines.values()];
}

const isIPv4 = ({ addressType }: z.infer<typeof endpointSlice>) => addressType === "IPv4";

/** https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/ */
const pod = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    deletionTimestamp: z.string().nullish(),
    annotations: z.record(z.string(), z.string()).nullish(),
  }),
  spec: z.looseObject({
    containers: z.array(
      z.looseObject({
        ports: z.array(z.looseObject({ name: z.string().nullish(), containerPort: z.number() })).nullish(),
      }),
    ),
  }),
  status: z
    .looseObject({
      phase: z.string().optional(),
      podIP: z.string().optional(),
      conditions: z.array(z.looseObject({ type: z.string(), status: z.string() })).nullish(),
    })
    .default({}),
});

/** The engines in ready, non-terminating pods. Annotations set what engines do not report. */
export function enginesOfPods(
  pods: readonly KubernetesObject[],
  wanted: WantedPort,
  onNoPort: OnNoPort = () => {},
): PodEngine[] {
  return pods.flatMap((object): PodEngine[] => {
    const { data } = pod.safeParse(object);
    if (data === undefined) return [];
    const { metadata, spec, status } = data;
    const isReady = status.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True");
    if (metadata.deletionTimestamp || status.phase !== "Running" || !isReady || !status.podIP) return [];
    const ports = spec.containers.flatMap(({ ports: of }) =>
      (of ?? []).map(({ name, containerPort }) => ({ name, port: containerPort })),
    );
    const number = choosePort(ports, wanted) ?? numberIn(wanted);
    if (number === undefined) {
      onNoPort(textOf(ports));
      return [];
    }
    const url = `http://${hostOf(status.podIP)}:${number}`;
    return [{ name: metadata.name, url, ...annotated(metadata.annotations ?? {}) }];
  });
}

/** Settings of engines in their pods' annotations. */
function annotated(
  annotations: Readonly<Record<string, string>>,
): Pick<PodEngine, "tags" | "blockSize" | "kvEvents"> {
  const endpoint = annotations["stator.dev/kv-events"];
  const tags = annotations["stator.dev/tags"]
    ?.split(",")
    .map((tag) => tag.trim())
    .filter((tag) => /^[^=,\s]+=[^,\s]+$/.test(tag));
  const blockSize = Number(annotations["stator.dev/block-size"]);
  return {
    ...(tags !== undefined && { tags }),
    ...(Number.isInteger(blockSize) && blockSize > 0 && { blockSize }),
    ...(endpoint !== undefined &&
      /^tcp:\/\/\S+:\d+$/.test(endpoint) && {
        kvEvents: { endpoint, replayEndpoint: annotations["stator.dev/kv-events-replay"] },
      }),
  };
}

interface NamedPort {
  readonly name?: string | null | undefined;
  readonly port?: number | undefined;
}

function choosePort(ports: readonly NamedPort[], wanted: WantedPort): number | undefined {
  if (wanted !== undefined)
    return ports.find(({ name, port: number }) => name === wanted || String(number) === wanted)?.port;
  return (ports.length === 1 ? ports[0] : ports.find(({ name }) => name === "http"))?.port;
}

const numberIn = (wanted: WantedPort) => (/^\d+$/.test(wanted ?? "") ? Number(wanted) : undefined);

const textOf = (ports: readonly NamedPort[]) =>
  ports.map(({ name, port: number }) => (name ? `${number} (${name})` : String(number))).join(", ") || "none";

const hostOf = (address: string) => (address.includes(":") ? `[${address}]` : address);
