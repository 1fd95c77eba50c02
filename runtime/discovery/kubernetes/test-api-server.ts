/** For tests: a Kubernetes API server with lists and watches, built from the documented API. */
import { once } from "node:events";
import {
  createServer as createHttp,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { createServer as createHttps } from "node:https";
import type { AddressInfo } from "node:net";

export interface TestObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly [key: string]: unknown;
  };
  readonly [key: string]: unknown;
}

interface Watcher {
  readonly path: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly response: ServerResponse;
}

/** Objects by the path of their kind, such as `/api/v1/namespaces/default/pods`. */
export class TestApiServer {
  /** Requests so far, as `METHOD path?query`. */
  readonly requests: string[] = [];
  /** Answers everything with this status. */
  failure: { code: number; message: string } | undefined;
  /** Answers watches with this status. */
  watchFailure: { code: number; message: string } | undefined;
  /** The only accepted bearer token, if set. */
  token: string | undefined;
  readonly #server: Server;
  readonly #isEncrypted: boolean;
  readonly #objects = new Map<string, Map<string, TestObject>>();
  readonly #watchers = new Set<Watcher>();
  #version = 1;
  /** Versions before this one have expired. */
  #oldest = 0;
  #events: { version: number; path: string; type: string; object: TestObject }[] = [];

  static async start(identity?: { cert: string; key: string; ca?: string }): Promise<TestApiServer> {
    const mutual = identity?.ca === undefined ? {} : { requestCert: true, rejectUnauthorized: true };
    const server = identity === undefined ? createHttp() : createHttps({ ...identity, ...mutual });
    const api = new TestApiServer(server, identity !== undefined);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return api;
  }

  private constructor(server: Server, isEncrypted: boolean) {
    this.#server = server;
    this.#isEncrypted = isEncrypted;
    server.on("request", (request: IncomingMessage, response: ServerResponse) =>
      this.#answer(request, response),
    );
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `${this.#isEncrypted ? "https" : "http"}://127.0.0.1:${port}`;
  }

  /** Open watches. */
  get watching(): number {
    return this.#watchers.size;
  }

  put(path: string, object: TestObject): void {
    const all = this.#objects.get(path) ?? new Map<string, TestObject>();
    this.#objects.set(path, all);
    const type = all.has(object.metadata.name) ? "MODIFIED" : "ADDED";
    const versioned = this.#versioned(object);
    all.set(object.metadata.name, versioned);
    this.#tell(path, type, versioned);
  }

  remove(path: string, name: string): void {
    const object = this.#objects.get(path)?.get(name);
    if (object === undefined) return;
    this.#objects.get(path)!.delete(name);
    this.#tell(path, "DELETED", this.#versioned(object));
  }

  /** Sends watches a bookmark. */
  bookmark(): void {
    const object = { metadata: { resourceVersion: String(this.#version) } };
    for (const { response } of this.#watchers) write(response, { type: "BOOKMARK", object });
  }

  /** Ends all watches normally, as a server does every few minutes. */
  endWatches(): void {
    for (const { response } of this.#watchers) response.end();
    this.#watchers.clear();
  }

  /** Expires all changes so far: a watch from before gets 410. */
  forget(): void {
    this.#oldest = this.#version;
    this.#events = [];
  }

  /** Tells watches that their version has expired, and ends them. */
  expire(): void {
    this.forget();
    for (const { response } of this.#watchers) {
      write(response, { type: "ERROR", object: { kind: "Status", code: 410, message: "too old" } });
    }
    this.endWatches();
  }

  /** Breaks all connections. */
  cut(): void {
    this.#server.closeAllConnections();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #versioned(object: TestObject): TestObject {
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } };
  }

  #tell(path: string, type: string, object: TestObject): void {
    this.#events.push({ version: this.#version, path, type, object });
    for (const watcher of this.#watchers) {
      if (watcher.path === path && hasLabels(object, watcher.labels))
        write(watcher.response, { type, object });
    }
  }

  #answer({ method, url = "", headers }: IncomingMessage, response: ServerResponse): void {
    this.requests.push(`${method} ${url}`);
    const { pathname, searchParams } = new URL(url, "http://api");
    const refusal = this.#refusalOf(headers.authorization);
    if (refusal !== undefined) {
      refuse(response, refusal.code, refusal.message);
      return;
    }
    const labels = readSelector(searchParams.get("labelSelector") ?? "");
    if (searchParams.get("watch") !== "true") {
      const items = [...(this.#objects.get(pathname)?.values() ?? [])].filter((each) =>
        hasLabels(each, labels),
      );
      response.writeHead(200, { "content-type": "application/json" });
      response.end(
        JSON.stringify({ kind: "List", metadata: { resourceVersion: String(this.#version) }, items }),
      );
      return;
    }
    if (this.watchFailure !== undefined) {
      refuse(response, this.watchFailure.code, this.watchFailure.message);
      return;
    }
    const from = Number(searchParams.get("resourceVersion"));
    if (from < this.#oldest) {
      refuse(response, 410, "too old resource version");
      return;
    }
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    for (const { version, path, type, object } of this.#events) {
      if (version > from && path === pathname && hasLabels(object, labels)) write(response, { type, object });
    }
    const watcher = { path: pathname, labels, response };
    this.#watchers.add(watcher);
    response.on("close", () => this.#watchers.delete(watcher));
  }

  #refusalOf(authorization: string | undefined): { code: number; message: string } | undefined {
    if (this.failure !== undefined) return this.failure;
    if (this.token === undefined || authorization === `Bearer ${this.token}`) return undefined;
    return { code: 401, message: "Unauthorized" };
  }
}

function refuse(response: ServerResponse, code: number, message: string): void {
  response.writeHead(code, { "content-type": "application/json" });
  response.end(JSON.stringify({ kind: "Status", status: "Failure", code, message }));
}

const write = (response: ServerResponse, event: object) => response.write(`${JSON.stringify(event)}\n`);

/** Parses only selectors of the form `a=b,c=d`. */
function readSelector(text: string): Record<string, string> {
  return Object.fromEntries(
    text
      .split(",")
      .filter(Boolean)
      .map((part) => part.split("=") as [string, string]),
  );
}

const hasLabels = ({ metadata }: TestObject, labels: Readonly<Record<string, string>>) =>
  Object.entries(labels).every(([key, value]) => metadata.labels?.[key] === value);
