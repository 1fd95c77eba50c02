import type { ClientTls } from "../../request-plane/types.ts";
import type { JsonValue } from "../types.ts";
import type { PodEngine } from "./engines-of.ts";
import { PodProcess } from "./pod-process.ts";

/** Receives the workers or gateways in the pods, as discovery has them. */
export interface AnnouncedPodsListener {
  put(key: string, value: JsonValue): void;
  delete(key: string): void;
  onError(error: Error): void;
}

export interface AnnouncedPodsOptions {
  readonly kind: "worker" | "gateway";
  /** For pods with TLS; without it, they are asked over plain TCP. */
  readonly tls: ClientTls | undefined;
  /** After how long running calls move away from workers in pods that are gone or unready, in milliseconds. */
  readonly drainWithinMs: number;
}

interface Pod {
  readonly name: string;
  readonly process: PodProcess;
  key: string | undefined;
  value: { [key: string]: JsonValue };
  /** Whether the cluster no longer lists it. */
  isGone: boolean;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** How long a worker that is leaving stays announced after its calls have been told to move, in milliseconds. */
const LINGER_MS = 1_000;
const LONGEST_TIMER_MS = 0x7fffffff;
/** What the keys of discovery begin with. */
const PREFIXES = { worker: "instances/", gateway: "gateways/" } as const;

/**
 * The workers or gateways in a cluster's ready pods. What is in a pod, it says itself. Of a pod that is no longer listed,
 * a worker is announced as leaving, and is forgotten once its calls have had their time or it has ended; a gateway, which
 * completes its requests, only when it has ended.
 */
export class AnnouncedPods {
  readonly #options: AnnouncedPodsOptions;
  readonly #listener: AnnouncedPodsListener;
  /** Listed pods, by the address of their request plane. */
  readonly #listed = new Map<string, Pod>();
  /** Pods that are no longer listed, but still announced. */
  readonly #leaving = new Set<Pod>();
  /** The pod that has announced a key last: one that was unready for a while is asked anew. */
  readonly #owners = new Map<string, Pod>();

  constructor(options: AnnouncedPodsOptions, listener: AnnouncedPodsListener) {
    this.#options = options;
    this.#listener = listener;
  }

  /** Replaces the listed pods. Two queries may list the same one. */
  replace(pods: readonly PodEngine[]): void {
    const scheme = this.#options.tls === undefined ? "tcp:" : "tls:";
    const names = new Map(pods.map(({ name, url }) => [url.replace(/^http:\/\//, scheme), name]));
    for (const [address, pod] of this.#listed) if (!names.has(address)) this.#retire(pod);
    for (const [address, name] of names) if (!this.#listed.has(address)) this.#follow(address, name);
  }

  /** Resolves once each listed pod has answered, or has not for the first time. */
  async first(): Promise<void> {
    await Promise.all(Array.from(this.#listed.values(), ({ process }) => process.first));
  }

  close(): void {
    for (const pod of [...this.#listed.values(), ...this.#leaving]) this.#end(pod);
    this.#listed.clear();
  }

  #follow(address: string, name: string): void {
    const pod: Pod = {
      name,
      process: new PodProcess(this.#options.kind, address, this.#options.tls, {
        onValue: (value) => this.#onValue(pod, value),
        onLost: () => this.#onLost(pod),
        onSilent: (reason) =>
          this.#listener.onError(
            new Error(`The pod ${name} does not answer at ${address}, and is asked again: ${reason}`),
          ),
      }),
      key: undefined,
      value: {},
      isGone: false,
      timer: undefined,
    };
    this.#listed.set(address, pod);
    pod.process.open();
  }

  #onValue(pod: Pod, value: { [key: string]: JsonValue }): void {
    const { address } = pod.process;
    const key = `${PREFIXES[this.#options.kind]}${typeof value.id === "string" ? value.id : address}`;
    // Another process in the same pod.
    if (pod.key !== key) this.#forget(pod);
    pod.key = key;
    // A process knows only which address it listens on; this one is known to work.
    pod.value = { ...value, address };
    this.#owners.set(key, pod);
    this.#listener.put(key, pod.value);
  }

  /** A process that has announced that it is leaving has ended; any other may still be there. */
  #onLost(pod: Pod): void {
    if (pod.isGone || isLeaving(pod)) this.#forget(pod);
    if (pod.isGone) this.#end(pod);
  }

  /** The cluster no longer lists the pod. */
  #retire(pod: Pod): void {
    this.#listed.delete(pod.process.address);
    pod.isGone = true;
    const isGateway = this.#options.kind === "gateway";
    if (!isGateway && pod.key !== undefined && this.#owners.get(pod.key) === pod && !isLeaving(pod)) {
      pod.value = { ...pod.value, drainWithinMs: Math.ceil(this.#options.drainWithinMs) };
      this.#listener.put(pod.key, pod.value);
    }
    if (pod.key === undefined || !pod.process.isConnected) {
      this.#forget(pod);
      this.#end(pod);
      return;
    }
    this.#leaving.add(pod);
    if (isGateway) return;
    const ms = Math.min(Number(pod.value.drainWithinMs) + LINGER_MS, LONGEST_TIMER_MS);
    pod.timer = setTimeout(() => {
      this.#forget(pod);
      this.#end(pod);
    }, ms);
  }

  #forget(pod: Pod): void {
    const { key } = pod;
    pod.key = undefined;
    if (key === undefined || this.#owners.get(key) !== pod) return;
    this.#owners.delete(key);
    this.#listener.delete(key);
  }

  #end(pod: Pod): void {
    clearTimeout(pod.timer);
    this.#leaving.delete(pod);
    pod.process.close();
  }
}

const isLeaving = ({ key, value }: Pod) => key !== undefined && value.drainWithinMs !== undefined;
