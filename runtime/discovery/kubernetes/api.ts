import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { z } from "zod";
import type { ClusterAccess } from "./access.ts";

/** The fields of a cluster object that are used here. */
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

/** A change reported by `watch`. */
export interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  readonly object: KubernetesObject;
}

export interface WatchListener {
  /** The server reports changes from now on. */
  onOpen(): void;
  onEvent(event: WatchEvent): void;
}

export class KubernetesError extends Error {
  /** HTTP status; undefined if the server was unreachable. */
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

/** Timeout for a response's head, in milliseconds. */
const HEAD_MS = 10_000;
/** Seconds after which the server ends a watch. */
const WATCH_SECONDS = 290;
/** A watch that is silent for longer has lost its connection: bookmarks arrive about every minute. */
const SILENCE_MS = (WATCH_SECONDS + 30) * 1000;

/** A client of the Kubernetes API server for lists and watches. */
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
   * Reports every change after that version, until the server ends the watch, which it does every few minutes.
   * @throws KubernetesError with 410 if that version has expired
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
    response.socket.setTimeout(SILENCE_MS, () => response.destroy(new Error("The connection went silent.")));
    listener.onOpen();
    try {
      for await (const line of createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY })) {
        if (line !== "") listener.onEvent(readEvent(line));
      }
    } catch (error) {
      if (error instanceof KubernetesError || signal.aborted) throw error;
      throw new KubernetesError(`The watch broke: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** Returns the response with its body unread. @throws KubernetesError for any status but 200 */
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
      return "The API server rejects this token or certificate: check --kubeconfig, or the pod's service account.";
    case 403:
      return `The account may not read ${kind} in the namespace '${namespace}': give it a role with get, list and watch on them (docs/kubernetes.md has one). ${message}`.trim();
    case 400:
      return `The API server refused the request: ${message || "is the label selector valid?"}`;
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
