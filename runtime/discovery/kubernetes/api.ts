import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { z } from "zod";
import type { ClusterAccess } from "./access.ts";

/** An object of the cluster, as far as it is read here. */
export interface KubernetesObject {
  readonly metadata: { readonly name: string; readonly resourceVersion?: string | undefined };
}

/** Objects of one kind, as the API's paths name them. */
export interface Resource {
  /** Such as `/api/v1` or `/apis/discovery.k8s.io/v1`. */
  readonly group: string;
  readonly kind: "pods" | "endpointslices";
  readonly namespace: string;
  readonly labelSelector: string;
}

export interface ObjectList {
  readonly items: readonly KubernetesObject[];
  readonly resourceVersion: string;
}

/** A change, as `watch` tells it. */
export interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  readonly object: KubernetesObject;
}

export interface WatchListener {
  /** The server tells of changes from now on. */
  onOpen(): void;
  onEvent(event: WatchEvent): void;
}

export class KubernetesError extends Error {
  /** HTTP status; undefined where the server could not be reached. */
  readonly status: number | undefined;

  constructor(message: string, status?: number) {
    super(message);
    this.name = "KubernetesError";
    this.status = status;
  }
}

const object = z.looseObject({
  metadata: z.looseObject({ name: z.string().default(""), resourceVersion: z.string().optional() }),
});
const list = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string() }),
  items: z.array(object),
});
const watchEvent = z.looseObject({ type: z.string(), object: z.looseObject({}) });
const status = z.looseObject({ message: z.string().optional(), code: z.number().optional() });

/** Longest time to get the head of an answer, in milliseconds. */
const HEAD_MS = 10_000;
/** After which the server ends a watch, in seconds. */
const WATCH_SECONDS = 290;
/** A watch that says nothing for longer has lost its connection: bookmarks come about every minute. */
const SILENCE_MS = (WATCH_SECONDS + 30) * 1000;

/** What Stator asks of a Kubernetes API server: lists, and their changes. */
export class KubernetesApi {
  readonly #access: ClusterAccess;

  constructor(access: ClusterAccess) {
    this.#access = access;
  }

  /** @throws KubernetesError */
  async list(resource: Resource, signal: AbortSignal): Promise<ObjectList> {
    const response = await this.#get(resource, {}, signal);
    const read = list.safeParse(parseJson(await text(response)));
    if (!read.success) throw new KubernetesError(`${this.#access.server} did not answer with a list.`);
    return { items: read.data.items, resourceVersion: read.data.metadata.resourceVersion };
  }

  /**
   * Tells of every change after that version, until the server ends it, which it does every few minutes.
   * @throws KubernetesError with 410 where it does not remember that version
   */
  async watch(
    resource: Resource,
    resourceVersion: string,
    listener: WatchListener,
    signal: AbortSignal,
  ): Promise<void> {
    const query = {
      watch: "true",
      allowWatchBookmarks: "true",
      timeoutSeconds: String(WATCH_SECONDS),
      resourceVersion,
    };
    const response = await this.#get(resource, query, signal);
    response.socket.setTimeout(SILENCE_MS, () => response.destroy(new Error("It has fallen silent.")));
    listener.onOpen();
    try {
      for await (const line of createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY })) {
        if (line !== "") listener.onEvent(readEvent(line));
      }
    } catch (error) {
      if (error instanceof KubernetesError || signal.aborted) throw error;
      throw new KubernetesError(`The watch broke off: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** The answer with its body to come. @throws KubernetesError for any status but 200 */
  async #get(
    { group, kind, namespace, labelSelector }: Resource,
    query: Record<string, string>,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const { server, tls } = this.#access;
    const search = new URLSearchParams({ labelSelector, ...query });
    const url = `${server}${group}/namespaces/${encodeURIComponent(namespace)}/${kind}?${search}`;
    const token = await this.#access.token();
    const headers = { accept: "application/json", ...(token && { authorization: `Bearer ${token}` }) };
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const send = server.startsWith("https:") ? requestHttps : requestHttp;
      const request = send(url, { headers, signal, ...tls }, (answer) => {
        clearTimeout(late);
        resolve(answer);
      });
      const late = setTimeout(
        () => request.destroy(new Error(`no answer within ${HEAD_MS / 1000} s`)),
        HEAD_MS,
      );
      request.once("error", (error) => {
        clearTimeout(late);
        reject(new KubernetesError(`The API server ${server} cannot be reached: ${error.message}.`));
      });
      request.end();
    });
    const { statusCode = 0 } = response;
    if (statusCode === 200) return response;
    const { message } = status.catch({}).parse(parseJson(await text(response)));
    throw new KubernetesError(refusal(statusCode, { kind, namespace }, message), statusCode);
  }
}

function readEvent(line: string): WatchEvent {
  const { type, object: of } = watchEvent.parse(parseJson(line));
  if (type !== "ERROR") return { type: type as WatchEvent["type"], object: object.parse(of) };
  const { message = "The server ended the watch.", code } = status.parse(of);
  throw new KubernetesError(message, code);
}

function refusal(
  code: number,
  { kind, namespace }: Pick<Resource, "kind" | "namespace">,
  message = "",
): string {
  switch (code) {
    case 401:
      return "The API server does not know this token or certificate: see --kubeconfig, or the pod's service account.";
    case 403:
      return `The account may not read ${kind} in the namespace '${namespace}': give it a role with get, list and watch on them (docs/kubernetes.md has one). ${message}`.trim();
    case 400:
      return `The API server refused the question: ${message || "is the label selector right?"}`;
    default:
      return `The API server answered with status ${code}. ${message}`.trim();
  }
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return {};
  }
}
