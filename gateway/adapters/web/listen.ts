import { AccessError } from "../../access/parse-keys.ts";
import type { Gateway, PlatformFiles } from "../../compose/create-gateway.ts";
import type { ListeningGateway, ListeningOptions } from "../listening.ts";
import { readTlsTexts, type TlsTexts, watchTlsTexts } from "./tls-texts.ts";

export interface WebPlace {
  readonly hostname: string;
  readonly port: number;
  readonly tls: TlsTexts | undefined;
  /** Whether another listener may have the same port at the same time. */
  readonly isShared: boolean;
}

export interface WebListener {
  readonly port: number;
  /** Takes no more connections; settled when running requests have ended. */
  stop(): Promise<void>;
  /** Ends running requests too. */
  cut?(): Promise<void>;
}

/** The runtime's own way to listen. */
export interface WebListening {
  /** Whether two listeners can have one port; else the new one comes a moment after the old one. */
  readonly canShare: boolean;
  /** @throws the runtime's error where the port is taken or the certificate cannot be used */
  listen(place: WebPlace, fetch: Gateway["fetch"]): WebListener;
}

/**
 * Has a gateway listen, and its admin routes at their own port where they have one. These runtimes cannot give a
 * listener another certificate: a new listener takes the new connections of the port, and the old one ends what it has.
 * @throws AccessError for certificates that cannot be used; then the gateway is closed
 */
export async function listenOnWeb(
  gateway: Gateway,
  options: ListeningOptions,
  listening: WebListening,
  { readTextFile }: PlatformFiles,
): Promise<ListeningGateway> {
  const { host: hostname, port, admin, log } = options;
  const listeners: Replaceable[] = [];
  let tls: TlsTexts | undefined;
  try {
    tls = options.tls && (await readTlsTexts(options.tls, readTextFile));
    listeners.push(new Replaceable(listening, { hostname, port, tls }, gateway.fetch));
    if (admin?.port !== undefined) {
      const place = { hostname: admin.host, port: admin.port, tls: admin.isGuarded ? tls : undefined };
      listeners.push(new Replaceable(listening, place, gateway.fetchAdmin));
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

/** What clients get to read why their answers end. */
const LAST_WORDS_MS = 500;
/** How long a listener may take to let go of its port. */
const LET_GO_MS = 5;
const LET_GO_TRIES = 400;

class Replaceable {
  readonly #listening: WebListening;
  readonly #place: Omit<WebPlace, "isShared">;
  readonly #fetch: Gateway["fetch"];
  #listener: WebListener;
  /** Of those before, what has not ended. */
  readonly #ending = new Set<Promise<void>>();

  constructor(listening: WebListening, place: Omit<WebPlace, "isShared">, fetch: Gateway["fetch"]) {
    this.#listening = listening;
    this.#place = place;
    this.#fetch = fetch;
    const isShared = listening.canShare && place.tls !== undefined;
    // Whether the port is free shows only where it is not shared.
    const port = isShared ? this.#findPort() : place.port;
    this.#listener = this.#open({ ...place, port, isShared });
  }

  get port(): number {
    return this.#listener.port;
  }

  /** @throws where the certificate cannot be used: then all is as before */
  async useTls(tls: TlsTexts): Promise<void> {
    if (this.#place.tls === undefined) return;
    const before = this.#listener;
    const { canShare } = this.#listening;
    const place = { ...this.#place, port: before.port, tls, isShared: canShare };
    if (canShare) this.#listener = this.#open(place);
    else void this.#open({ ...place, port: 0 }).stop();
    const ended = before.stop();
    this.#ending.add(ended);
    void ended.finally(() => this.#ending.delete(ended));
    if (!canShare) this.#listener = await this.#openSoon(place);
  }

  async drain(deadlineMs: number, onDeadline: () => void): Promise<void> {
    const within = (ms: number) => new Promise<"late">((resolve) => setTimeout(() => resolve("late"), ms));
    const ended = Promise.all([this.#listener.stop(), ...this.#ending]);
    if ((await Promise.race([ended, within(deadlineMs)])) === "late") {
      onDeadline();
      await Promise.race([ended, within(LAST_WORDS_MS)]);
    }
    await this.#listener.cut?.();
  }

  #findPort(): number {
    const listener = this.#listening.listen({ ...this.#place, tls: undefined, isShared: false }, this.#fetch);
    void listener.stop();
    return listener.port;
  }

  /** As soon as the listener before it has let go of the port. */
  async #openSoon(place: WebPlace): Promise<WebListener> {
    for (let tries = 1; ; tries++) {
      try {
        return this.#open(place);
      } catch (error) {
        if (!hasCode(error) || tries === LET_GO_TRIES) throw error;
        await new Promise((resolve) => setTimeout(resolve, LET_GO_MS));
      }
    }
  }

  #open(place: WebPlace): WebListener {
    try {
      return this.#listening.listen(place, this.#fetch);
    } catch (error) {
      if (place.tls === undefined || hasCode(error)) throw error;
      throw new AccessError(
        `--tls-cert and --tls-key cannot be used: ${error instanceof Error ? error.message : error}.`,
      );
    }
  }
}

/** Whether it is the system's error, such as for a port that is taken. */
const hasCode = (error: unknown) => /^E[A-Z]+$/.test(String(Reflect.get(Object(error), "code")));
