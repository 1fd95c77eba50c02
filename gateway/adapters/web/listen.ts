import { AccessError } from "../../access/parse-keys.ts";
import type { Gateway, PlatformFiles } from "../../compose/create-gateway.ts";
import type { ListeningGateway, ListeningOptions } from "../listening.ts";
import { readTlsTexts, type TlsTexts, watchTlsTexts } from "./tls-texts.ts";

export interface WebListenOptions {
  readonly hostname: string;
  readonly port: number;
  readonly tls: TlsTexts | undefined;
  /** Whether another listener may use the same port at the same time. */
  readonly isShared: boolean;
}

export interface WebListener {
  readonly port: number;
  /** Takes no more connections; resolves when requests in flight have ended. */
  stop(): Promise<void>;
  /** Also aborts requests in flight. */
  abort?(): Promise<void>;
}

/** The runtime's HTTP server. */
export interface WebServer {
  /** Whether two listeners can share a port; otherwise a new one starts a moment after the old one. */
  readonly canShare: boolean;
  /** @throws the runtime's error if the port is taken or the certificate is unusable */
  listen(options: WebListenOptions, fetch: Gateway["fetch"]): WebListener;
}

/**
 * Makes a gateway listen, and its admin routes on their own port if they have one. These runtimes cannot change a
 * listener's certificate, so a new listener takes new connections while the old one drains.
 * @throws AccessError for unusable certificates, after closing the gateway
 */
export async function listenOnWeb(
  gateway: Gateway,
  options: ListeningOptions,
  server: WebServer,
  { readTextFile }: PlatformFiles,
): Promise<ListeningGateway> {
  const { host: hostname, port, admin, log } = options;
  const listeners: ReplaceableListener[] = [];
  let tls: TlsTexts | undefined;
  try {
    tls = options.tls && (await readTlsTexts(options.tls, readTextFile));
    listeners.push(new ReplaceableListener(server, { hostname, port, tls }, gateway.fetch));
    if (admin?.port !== undefined) {
      const place = { hostname: admin.host, port: admin.port, tls: admin.isGuarded ? tls : undefined };
      listeners.push(new ReplaceableListener(server, place, gateway.fetchAdmin));
    }
  } catch (error) {
    gateway.close();
    await Promise.all(listeners.map((listener) => listener.drain(0, () => {})));
    throw error;
  }
  const stopWatching =
    options.tls &&
    tls &&
    watchTlsTexts(options.tls, tls, { readTextFile, log }, async (now) => {
      for (const listener of listeners) await listener.useTls(now);
    });
  return {
    port: listeners[0]!.port,
    adminPort: listeners[1]?.port,
    models: gateway.models,
    engines: gateway.engines,
    beginDrain: () => gateway.beginDrain(),
    async drain(deadlineMs) {
      stopWatching?.();
      await Promise.all(listeners.map((listener) => listener.drain(deadlineMs, () => gateway.cutOff())));
      gateway.close();
    },
  };
}

/** How long aborted answers get to send their error before their connections are closed. */
const FLUSH_MS = 500;
/** How often, and how many times, to retry a port until the previous listener releases it. */
const RETRY_MS = 5;
const MAX_TRIES = 400;

class ReplaceableListener {
  readonly #server: WebServer;
  readonly #place: Omit<WebListenOptions, "isShared">;
  readonly #fetch: Gateway["fetch"];
  #listener: WebListener;
  /** Previous listeners that are still draining. */
  readonly #draining = new Set<Promise<void>>();

  constructor(server: WebServer, place: Omit<WebListenOptions, "isShared">, fetch: Gateway["fetch"]) {
    this.#server = server;
    this.#place = place;
    this.#fetch = fetch;
    const isShared = server.canShare && place.tls !== undefined;
    // A shared port can be taken without an error, so check first that it is free.
    const port = isShared ? this.#findPort() : place.port;
    this.#listener = this.#open({ ...place, port, isShared });
  }

  get port(): number {
    return this.#listener.port;
  }

  /** @throws if the certificate is unusable, and keeps the current one */
  async useTls(tls: TlsTexts): Promise<void> {
    if (this.#place.tls === undefined) return;
    const before = this.#listener;
    const { canShare } = this.#server;
    const place = { ...this.#place, port: before.port, tls, isShared: canShare };
    if (canShare) this.#listener = this.#open(place);
    else void this.#open({ ...place, port: 0 }).stop();
    const ended = before.stop();
    this.#draining.add(ended);
    void ended.finally(() => this.#draining.delete(ended));
    if (!canShare) this.#listener = await this.#openSoon(place);
  }

  async drain(deadlineMs: number, onDeadline: () => void): Promise<void> {
    const within = (ms: number) => new Promise<"late">((resolve) => setTimeout(() => resolve("late"), ms));
    const ended = Promise.all([this.#listener.stop(), ...this.#draining]);
    if ((await Promise.race([ended, within(deadlineMs)])) === "late") {
      onDeadline();
      await Promise.race([ended, within(FLUSH_MS)]);
    }
    await this.#listener.abort?.();
  }

  #findPort(): number {
    const listener = this.#server.listen({ ...this.#place, tls: undefined, isShared: false }, this.#fetch);
    void listener.stop();
    return listener.port;
  }

  /** Opens a listener as soon as the previous one has released the port. */
  async #openSoon(place: WebListenOptions): Promise<WebListener> {
    for (let tries = 1; ; tries++) {
      try {
        return this.#open(place);
      } catch (error) {
        if (!hasCode(error) || tries === MAX_TRIES) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  #open(place: WebListenOptions): WebListener {
    try {
      return this.#server.listen(place, this.#fetch);
    } catch (error) {
      if (place.tls === undefined || hasCode(error)) throw error;
      throw new AccessError(
        `--tls-cert and --tls-key cannot be used: ${error instanceof Error ? error.message : error}.`,
      );
    }
  }
}

/** Whether it is a system error, such as for a taken port. */
const hasCode = (error: unknown) => /^E[A-Z]+$/.test(String(Reflect.get(Object(error), "code")));
