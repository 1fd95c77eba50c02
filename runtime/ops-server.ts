import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { messageOf } from "./message-of.ts";
import type { Registry } from "./metrics.ts";
import { isUnforgeableHost } from "./unforgeable-host.ts";

export interface OpsOptions {
  /** Where to listen: a host and port (0: the system chooses), or a Unix socket. */
  listen: { host?: string | undefined; port: number } | { socketPath: string };
  /** The JSON body of `/health`. */
  health(): object;
  /** Whether the process is alive: `/health` and `/live` answer 200 or 503. */
  live(): boolean;
  /** The metrics of `/metrics`. */
  registry: Registry;
}

export interface OpsServer {
  /** `http://host:port`, or the socket's path. */
  readonly address: string;
  close(): Promise<void>;
}

/**
 * Serves `/health`, `/live` and `/metrics` for a process without other HTTP endpoints, on loopback by default; there, only
 * to clients that call it by its address or `localhost`. Rejects with the system's error if it cannot listen.
 */
export async function serveOps(options: OpsOptions): Promise<OpsServer> {
  const server = createServer((request, response) => {
    respond(options, isForAll(request), request, response).catch((error: unknown) => {
      const message = `The request failed: ${messageOf(error)}.`;
      sendError(response, 500, "server_error", "internal_error", message);
    });
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  const { listen } = options;
  server.listen(
    "port" in listen ? { host: listen.host ?? "127.0.0.1", port: listen.port } : { path: listen.socketPath },
    resolve,
  );
  await promise;
  const bound = server.address();
  return {
    address:
      typeof bound === "object" && bound ? `http://${hostText(bound.address)}:${bound.port}` : String(bound),
    async close() {
      const closed = new Promise((done) => server.close(done));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Whether the request came to an address at which other machines can read too. */
const isForAll = ({ socket }: IncomingMessage) =>
  socket.localAddress !== undefined && !/^(::ffff:)?127\.|^::1$/.test(socket.localAddress);

async function respond(
  options: OpsOptions,
  acceptsAnyHost: boolean,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
  if (!["/health", "/live", "/metrics"].includes(path)) {
    sendError(response, 404, "invalid_request_error", "not_found", `There is no ${path} here.`);
  } else if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD");
    const message = `${path} accepts GET, not ${request.method}.`;
    sendError(response, 405, "invalid_request_error", "method_not_allowed", message);
  } else if (!acceptsAnyHost && path !== "/live" && !isUnforgeableHost(request.headers.host)) {
    const message = "On loopback, this server can be read only at an IP address or 'localhost'.";
    sendError(response, 403, "permission_error", "host_not_allowed", message);
  } else if (path === "/metrics") {
    const { registry } = options;
    send(response, 200, registry.contentType, await registry.metrics());
  } else {
    const live = options.live();
    sendJson(response, live ? 200 : 503, path === "/health" ? options.health() : { live });
  }
}

/** Sends an error in the shape of OpenAI's API. */
function sendError(
  response: ServerResponse,
  status: number,
  type: string,
  code: string,
  message: string,
): void {
  sendJson(response, status, { error: { message, type, param: null, code } });
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  send(response, status, "application/json", `${JSON.stringify(body)}\n`);
}

function send(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, { "content-type": contentType, "content-length": Buffer.byteLength(body) });
  // Node omits the body for HEAD requests.
  response.end(body);
}

function hostText(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
