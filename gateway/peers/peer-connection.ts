import { type Logger, messageOf, Reconnector, type RequestPlaneClient } from "#runtime";
import type { ConnectWorker } from "../models/members/worker-connection.ts";
import { decodeLoads, type LoadMessage } from "./message.ts";
import type { GatewayRegistration } from "./registration.ts";

/** The endpoint that streams a gateway's load. */
export const LOAD_ENDPOINT = "gateway_load";

/** Failed connections, over eleven seconds, after which the log says so: longer than the registration of a dead gateway. */
const TOLERATED_FAILURES = 10;
/** Ticks (seconds) without a message that are tolerated before a gateway is considered gone. */
const SILENT_TICKS = 2;

export interface PeerListener {
  onLoads(message: LoadMessage): void;
  /** It has fallen silent or was closed: its load no longer counts. */
  onSilent(): void;
  readonly log: Logger;
}

/** The connection to another gateway; reconnects as long as discovery has it. */
export class PeerConnection {
  readonly gateway: GatewayRegistration;
  readonly #listener: PeerListener;
  readonly #reconnector: Reconnector;
  #client: RequestPlaneClient | undefined;
  #silentTicks = 0;
  /** Failed connections in a row. */
  #failures = 0;
  #isAlive = false;

  constructor(gateway: GatewayRegistration, connect: ConnectWorker, listener: PeerListener) {
    const { address } = gateway;
    this.gateway = gateway;
    this.#listener = listener;
    this.#reconnector = new Reconnector({
      connect: () => connect(address, { connectTimeoutMs: 5_000 }),
      use: (client) => this.#use(client),
      onUnreachable: (error) => this.#onUnreachable(error),
    });
  }

  /** Whether it has sent its load recently. */
  get isAlive(): boolean {
    return this.#isAlive;
  }

  open(): void {
    this.#reconnector.open();
  }

  close(): void {
    this.#reconnector.stop();
    this.#client?.close();
    this.#forget();
  }

  /** Called every second. */
  tick(): void {
    if (this.#isAlive && ++this.#silentTicks > SILENT_TICKS) this.#forget();
  }

  async #use(client: RequestPlaneClient): Promise<void> {
    this.#client = client;
    this.#failures = 0;
    await this.#follow(client);
    client.close();
    this.#client = undefined;
  }

  #onUnreachable(error: unknown): void {
    const level = ++this.#failures === TOLERATED_FAILURES ? "warn" : "debug";
    this.#listener.log[level]("another gateway cannot be reached, so its load is not known here", {
      address: this.gateway.address,
      reason: messageOf(error),
    });
  }

  /** Resolves when the stream has ended. */
  #follow(client: RequestPlaneClient): Promise<void> {
    return new Promise((resolve) => {
      client.call(LOAD_ENDPOINT, new Uint8Array(0), {
        onMessage: (bytes) => this.#onMessage(bytes),
        onEnd: resolve,
        onError: () => resolve(),
      });
    });
  }

  #onMessage(bytes: Uint8Array): void {
    if (this.#reconnector.isStopped) return;
    const message = decodeLoads(bytes);
    if (message === undefined) {
      this.#listener.log.warn("ignored an unreadable message from another gateway");
      return;
    }
    this.#silentTicks = 0;
    if (!this.#isAlive)
      this.#listener.log.info("sharing load with another gateway", { address: this.gateway.address });
    this.#isAlive = true;
    this.#listener.onLoads(message);
  }

  #forget(): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    this.#listener.log.info("another gateway is gone", { address: this.gateway.address });
    this.#listener.onSilent();
  }
}
