import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Faults, faultsSchema, NO_FAULTS } from "./faults.ts";
import { openAtPort } from "./free-port.ts";
import { writable } from "./writable.ts";

/** A route's answer: JSON, text, or a function that writes it. */
export type StandInReply =
  | { status?: number; json: unknown }
  | { status?: number; text: string; type?: string }
  | { write: (response: ServerResponse, signal: AbortSignal) => Promise<void> };

export interface StandInRequest {
  /** Without the query. */
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  /** Parsed JSON; undefined if there is no body or it is not JSON. */
  readonly body: unknown;
  readonly faults: Faults;
  /** Aborted when other faults are set. */
  readonly faultsChanged: AbortSignal;
  /** Aborted when the client disconnects. */
  readonly signal: AbortSignal;
}

export type StandInRoute = (request: StandInRequest) => StandInReply | Promise<StandInReply>;

export interface ServerOptions {
  port?: number | undefined;
  host?: string | undefined;
  apiKey?: string | undefined;
  /** By `METHOD /path`. */
  routes: Readonly<Record<string, StandInRoute>>;
  /** Routes that generate tokens. */
  generationRoutes: readonly string[];
  /** The answer to a request with an unknown route or without a key. */
  refuse(status: 401 | 404 | 500 | 503, message: string): StandInReply;
  crash: () => void;
}

/** A stand-in's HTTP server, with faults that are set under `/stand-in/faults`. */
export class StandInServer {
  #faults: Faults = NO_FAULTS;
  #faultsChanged = new AbortController();
  readonly url: string;
  readonly port: number;
  /** Every request but those to `/stand-in/`, as `METHOD /path`. */
  readonly requests: string[] = [];
  readonly #options: ServerOptions;
  readonly #server: Server;
  /** Requests that the fault `status` applied to, whether or not it was their turn to fail. */
  #eligible = 0;

  /** @throws Error if the port is taken */
  static async listen(options: ServerOptions): Promise<StandInServer> {
    const server = createServer({ keepAliveTimeout: 5_000 });
    const listen = (port: number) =>
      new Promise<void>((resolve, reject) => {
        server.once("error", reject).listen(port, options.host ?? "127.0.0.1", () => {
          server.off("error", reject);
          resolve();
        });
      });
    await openAtPort(options.port ?? 0, listen);
    return new StandInServer(options, server);
  }

  private constructor(options: ServerOptions, server: Server) {
    const { port, address, family } = server.address() as AddressInfo;
    this.port = port;
    this.url = `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
    this.#options = options;
    this.#server = server;
    server.on("request", (request, response) => {
      this.#serve(request, response).catch((error: unknown) => response.destroy(toError(error)));
    });
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on("error", () => {});
    const name = `${request.method} ${(request.url ?? "").replace(/\?.*/, "")}`;
    const body = parse(await readBody(request));
    if (name.endsWith(" /stand-in/faults")) return this.#setFaults(name, body, response);
    if (name === "GET /stand-in/requests") return send(response, { json: this.requests }, never);
    const isOwn = name.includes(" /stand-in/");
    if (!isOwn) this.requests.push(name);
    const { routes, generationRoutes, refuse, apiKey } = this.#options;
    const { faults } = this;
    const faultsChanged = this.#faultsChanged.signal;
    const isAffected = !isOwn && (faults.on === "all" || generationRoutes.includes(name));
    if (isAffected && (await this.#injectFaults(faults, response))) return;
    if (
      apiKey !== undefined &&
      request.headers.authorization !== `Bearer ${apiKey}` &&
      name.includes(" /v1/")
    ) {
      return send(response, refuse(401, "Unauthorized"), never);
    }
    const path = name.slice(name.indexOf(" ") + 1);
    const route = routes[name] ?? (isOwn ? routes[name.replace(/\/[^/]*$/, "/*")] : undefined);
    if (route === undefined) return send(response, refuse(404, "Not Found"), never);
    const disconnected = new AbortController();
    response.on("close", () => disconnected.abort());
    const { signal } = disconnected;
    const seen = isAffected ? faults : NO_FAULTS;
    const { headers } = request;
    await send(response, await route({ path, headers, body, faults: seen, faultsChanged, signal }), signal);
  }

  get faults(): Faults {
    return this.#faults;
  }

  /** Replaces the faults; requests that hang because of the previous ones continue. */
  set faults(faults: Faults) {
    this.#faults = faults;
    this.#faultsChanged.abort();
    this.#faultsChanged = new AbortController();
  }

  #setFaults(name: string, body: unknown, response: ServerResponse): Promise<void> {
    if (name.startsWith("POST")) {
      const read = faultsSchema.safeParse(body ?? {});
      if (!read.success) return send(response, { status: 400, json: { error: read.error.message } }, never);
      this.faults = read.data;
      this.#eligible = 0;
    }
    return send(response, { json: this.faults }, never);
  }

  /** The faults that occur before a route runs. @returns whether the request has been handled */
  async #injectFaults(faults: Faults, response: ServerResponse): Promise<boolean> {
    if (faults.crash) this.#options.crash();
    if (faults.delayMs > 0) await sleep(faults.delayMs);
    if (faults.hangBeforeHead) return true;
    if (faults.garbageHttp) {
      response.socket?.end("\u0000\u0001\u0002 this is not HTTP \r\n\r\n");
      return true;
    }
    if (faults.endlessBody) {
      await writeEndlessly(response);
      return true;
    }
    if (faults.status === undefined) return false;
    const before = Math.floor(this.#eligible * faults.share);
    this.#eligible++;
    if (Math.floor(this.#eligible * faults.share) === before) return false;
    const reply = this.#options.refuse(faults.status === 503 ? 503 : 500, "This is an injected fault.");
    await send(response, { ...reply, status: faults.status }, never);
    return true;
  }
}

const never = new AbortController().signal;
const GIGABYTE = 2 ** 30;

async function send(response: ServerResponse, reply: StandInReply, signal: AbortSignal): Promise<void> {
  if ("write" in reply) return reply.write(response, signal);
  const isJson = "json" in reply;
  const type = isJson ? "application/json" : (reply.type ?? "text/plain; charset=utf-8");
  response.writeHead(reply.status ?? 200, { "content-type": type });
  response.end(isJson ? JSON.stringify(reply.json) : reply.text);
}

async function writeEndlessly(response: ServerResponse): Promise<void> {
  response.writeHead(200, { "content-type": "application/json" });
  const piece = Buffer.alloc(65_536, " ");
  for (let sent = 0; sent < GIGABYTE && !response.destroyed; sent += piece.length) {
    if (!response.write(piece)) await writable(response);
  }
  response.end();
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString("utf8");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
