import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../../message-of.ts";
import {
  KubernetesError,
  type KubernetesObject,
  type ObjectList,
  type Resource,
  type WatchListener,
} from "./api.ts";

/** The API calls of a `ListWatch`. */
export interface ListWatchApi {
  list(resource: Resource, signal: AbortSignal): Promise<ObjectList>;
  watch(
    resource: Resource,
    resourceVersion: string,
    listener: WatchListener,
    signal: AbortSignal,
  ): Promise<void>;
}

export interface ListWatchListener {
  /** All objects, after the first list and after each change. */
  onObjects(objects: readonly KubernetesObject[]): void;
  /** Requests fail; the objects known so far stay valid. */
  onUnavailable(reason: string): void;
  /** Requests succeed again. */
  onAvailable(): void;
}

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 30_000;
/** A watch that lasts longer counts as a success, in milliseconds. */
const STEADY_MS = 5_000;
/** The server's status for a version that has expired. */
const GONE = 410;

/**
 * Follows the objects of one kind with a list and a watch.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
 */
export class ListWatch {
  readonly #api: ListWatchApi;
  readonly #resource: Resource;
  readonly #listener: ListWatchListener;
  readonly #abort = new AbortController();
  readonly #objects = new Map<string, KubernetesObject>();
  #isUnavailable = false;
  /** Of the last watch, on the clock of `performance.now()`. */
  #openedAt = Number.POSITIVE_INFINITY;

  constructor(api: ListWatchApi, resource: Resource, listener: ListWatchListener) {
    this.#api = api;
    this.#resource = resource;
    this.#listener = listener;
  }

  open(): void {
    void this.#run();
  }

  close(): void {
    this.#abort.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    let pauseMs = FIRST_PAUSE_MS;
    let version: string | undefined;
    while (!signal.aborted) {
      this.#openedAt = Number.POSITIVE_INFINITY;
      try {
        version ??= await this.#list();
        version = await this.#watch(version);
      } catch (error) {
        if (signal.aborted) return;
        version = undefined;
        // An expired version is no server failure.
        if (!(error instanceof KubernetesError && error.status === GONE)) this.#fail(error);
      }
      if (performance.now() - this.#openedAt > STEADY_MS) pauseMs = FIRST_PAUSE_MS;
      await sleep(pauseMs * (0.5 + Math.random()), undefined, { signal }).catch(() => {});
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    }
  }

  async #list(): Promise<string> {
    const { items, resourceVersion } = await this.#api.list(this.#resource, this.#abort.signal);
    this.#objects.clear();
    for (const item of items) this.#objects.set(item.metadata.name, item);
    this.#tell();
    return resourceVersion;
  }

  /** Returns the version reached when the watch ends normally. */
  async #watch(from: string): Promise<string> {
    let version = from;
    await this.#api.watch(
      this.#resource,
      from,
      {
        onOpen: () => {
          this.#openedAt = performance.now();
          this.#recover();
        },
        onEvent: ({ type, object }) => {
          version = object.metadata.resourceVersion ?? version;
          if (type === "BOOKMARK") return;
          if (type === "DELETED") this.#objects.delete(object.metadata.name);
          else this.#objects.set(object.metadata.name, object);
          this.#tell();
        },
      },
      this.#abort.signal,
    );
    return version;
  }

  #tell(): void {
    this.#listener.onObjects([...this.#objects.values()]);
  }

  #fail(error: unknown): void {
    if (this.#isUnavailable) return;
    this.#isUnavailable = true;
    this.#listener.onUnavailable(messageOf(error));
  }

  #recover(): void {
    if (this.#isUnavailable) this.#listener.onAvailable();
    this.#isUnavailable = false;
  }
}
