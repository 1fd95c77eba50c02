import {
  type Discovery,
  followKeys,
  type Handler,
  InstanceAnnouncer,
  instanceEndpoint,
  type JsonValue,
  type Lease,
  type Logger,
  type RequestPlaneServer,
  type ServerCall,
  type Watch,
} from "#runtime";
import type { ConnectWorker } from "../models/members/worker-connection.ts";
import type { WarmModel } from "../models/warm-start.ts";
import type { OtherGateways, SharedLoads } from "../routing/load/shared-load.ts";
import { INDEX_ENDPOINT, IndexServer } from "./index-server.ts";
import { LoadTable } from "./load-table.ts";
import { encodeLoads } from "./message.ts";
import { LOAD_ENDPOINT, PeerConnection } from "./peer-connection.ts";
import { type GatewayRegistration, gatewaySchema, gatewayValue } from "./registration.ts";
import { RequestShares } from "./request-shares.ts";
import { WarmStarts } from "./warm-starts.ts";

export interface GatewayPeersOptions {
  /** Where gateways find each other. */
  readonly discovery: Discovery;
  /** This gateway's id. */
  readonly id: string;
  /** Serves the request plane for the other gateways. @returns the server, and its address for them */
  serve(handlers: Record<string, Handler>): Promise<{ server: RequestPlaneServer; address: string }>;
  readonly connect: ConnectWorker;
  /** Runs a function once the current turn of the event loop is over. */
  defer(run: () => void): void;
  /** Fingerprint of this gateway's key for private KV events. */
  readonly kvEventsKey?: string | undefined;
  /** The model of this name, whose index gateways that have just started take over. Default: none. */
  modelOf?(name: string): WarmModel | undefined;
  readonly log: Logger;
}

const PREFIX = "gateways/";
const FULL_UPDATE_MS = 1_000;

/**
 * The other gateways in front of the same workers. They send each other the load that they have booked: changes
 * within a turn of the event loop, and everything every second. The load of a silent gateway is freed.
 */
export class GatewayPeers implements OtherGateways {
  /** Takes over what the other gateways know when this one opens. */
  readonly warmStart: WarmStarts;
  readonly #options: GatewayPeersOptions;
  readonly #table = new LoadTable();
  readonly #requests: RequestShares;
  readonly #peers = new Map<string, PeerConnection>();
  readonly #subscribers = new Set<ServerCall>();
  /** Slow subscribers, which get everything once they have caught up. */
  readonly #behind = new Set<ServerCall>();
  #server: RequestPlaneServer | undefined;
  #lease: Lease | undefined;
  #watch: Watch | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(options: GatewayPeersOptions) {
    this.#options = options;
    this.#requests = new RequestShares(options.id);
    const { connect, defer, kvEventsKey, log } = options;
    // With another key, the hashes of the same prompts are others.
    const gateways = () => this.#byAge().filter((gateway) => gateway.kvEventsKey === kvEventsKey);
    this.warmStart = new WarmStarts({ gateways, connect, defer, log });
    this.#table.onChange = () => options.defer(() => this.#sendChanges());
  }

  /** Registers this gateway, and follows the others. @throws errors of the server or discovery */
  async open(): Promise<void> {
    const { discovery, id, serve, defer, kvEventsKey, modelOf = () => undefined, log } = this.#options;
    const isWarming = (model: string) => this.warmStart.isWarming(model);
    const indexes = new IndexServer({ modelOf, isWarming, defer, log });
    const announcer = new InstanceAnnouncer();
    const { server, address } = await serve({
      [instanceEndpoint]: announcer.handler,
      [LOAD_ENDPOINT]: (_, call) => this.#subscribe(call),
      [INDEX_ENDPOINT]: indexes.handle,
    });
    this.#server = server;
    const registration = gatewayValue({ id, address, startedAt: Date.now() / 1000, kvEventsKey });
    announcer.announceValue(registration);
    this.#timer = setInterval(() => this.#tick(), FULL_UPDATE_MS);
    this.#lease = await discovery.lease();
    await discovery.put(`${PREFIX}${id}`, registration, this.#lease);
    this.#watch = await followKeys(discovery, PREFIX, {
      onPut: (key, value) => this.#add(key, value),
      onDelete: (key) => this.#remove(key),
    });
    log.debug("listening for other gateways", { address });
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.warmStart.close();
    this.#watch?.close();
    for (const key of [...this.#peers.keys()]) this.#remove(key);
    await this.#lease?.revoke();
    await this.#server?.close();
  }

  /** How many other gateways are connected. */
  get count(): number {
    let count = 0;
    for (const { isAlive } of this.#peers.values()) if (isAlive) count++;
    return count;
  }

  /** The other gateways, the one that has run longest first. */
  #byAge(): GatewayRegistration[] {
    const all = Array.from(this.#peers.values(), ({ gateway }) => gateway);
    // Those of older versions do not say when they have started.
    return all.sort((one, other) => (one.startedAt || Infinity) - (other.startedAt || Infinity));
  }

  readonly shares = () => this.#requests.shares;

  loadsOf(model: string): SharedLoads {
    return this.#table.of(model);
  }

  countRequest(): void {
    this.#requests.countRequest();
  }

  #add(key: string, value: JsonValue): void {
    const { id: own, connect, log } = this.#options;
    const parsed = gatewaySchema.safeParse(value);
    if (!parsed.success) {
      log.warn("ignored an invalid registration of a gateway", { key });
      return;
    }
    const { id, address } = parsed.data;
    if (id === own || this.#peers.get(key)?.gateway.address === address) return;
    this.#remove(key);
    const peer = new PeerConnection(parsed.data, connect, {
      onLoads: (message) => {
        this.#table.apply(id, message);
        this.#requests.set(id, message.requests);
      },
      onSilent: () => this.#forget(id),
      log: log.child({ gateway: id }),
    });
    this.#peers.set(key, peer);
    peer.open();
  }

  #remove(key: string): void {
    this.#peers.get(key)?.close();
    this.#peers.delete(key);
  }

  #forget(id: string): void {
    this.#table.drop(id);
    this.#requests.delete(id);
  }

  #subscribe(call: ServerCall): void {
    this.#subscribers.add(call);
    call.signal.addEventListener("abort", () => {
      this.#subscribers.delete(call);
      this.#behind.delete(call);
    });
    this.#send(call, this.#fullUpdate());
  }

  #tick(): void {
    this.#requests.tick();
    for (const peer of this.#peers.values()) peer.tick();
    if (this.#subscribers.size === 0) return;
    const update = this.#fullUpdate();
    for (const call of this.#subscribers) this.#send(call, update);
  }

  #sendChanges(): void {
    const entries = this.#table.takeChanges();
    if (this.#subscribers.size === 0) return;
    const message = encodeLoads({ isComplete: false, requests: this.#requests.recent, entries });
    for (const call of this.#subscribers) this.#send(call, message);
  }

  #fullUpdate(): Uint8Array {
    return encodeLoads({ isComplete: true, requests: this.#requests.recent, entries: this.#table.own() });
  }

  #send(call: ServerCall, message: Uint8Array): void {
    if (this.#behind.has(call) || call.send(message)) return;
    this.#behind.add(call);
    void call.writable().then(() => {
      this.#behind.delete(call);
      if (this.#subscribers.has(call)) this.#send(call, this.#fullUpdate());
    });
  }
}
