import { readFile } from "node:fs/promises";
import {
  createGatewayMetrics,
  DEFAULT_ROUTING,
  exactPrompt,
  ModelRouter,
  NO_PREFERENCES,
  type PolicyName,
  type RoutedWorker,
} from "#gateway";
import { compileRouter } from "#router-wasm";
import {
  type ConnectOptions,
  type Discovery,
  followKeys,
  type JsonValue,
  type Logger,
  type Metrics,
  PlaneError,
  Reconnector,
  type RequestPlaneClient,
  type Watch,
} from "#runtime";
import { connect } from "#runtime/node";
import { keysOf, type Registration, registrationSchema } from "./registration.ts";

export interface InstancesOptions {
  readonly discovery: Discovery;
  readonly policy: PolicyName;
  readonly connect: Pick<ConnectOptions, "tls" | "nats">;
  readonly metrics: Metrics;
  readonly log: Logger;
}

export interface InstanceRequest {
  readonly requestId: string;
  readonly tokens: Uint32Array;
  /** Ids of instances that are not to be chosen. */
  readonly excluded: readonly string[];
  /** The only one that may be chosen, by name or id. */
  readonly name: string | undefined;
}

/** An instance that was chosen for a request. */
export interface InstanceRoute {
  readonly id: string;
  readonly client: RequestPlaneClient;
  firstItem(): void;
  free(): void;
}

/** Tokens that `kv` and `prefix-hash` compare at a time. */
const BLOCK_SIZE = 16;

/** The instances of a service, each connected, and the router that chooses among them. */
export class ServiceInstances {
  readonly #service: string;
  readonly #options: InstancesOptions;
  readonly #router: ModelRouter<Instance>;
  readonly #instances = new Map<string, Instance>();
  readonly #waiting = new Set<() => void>();
  #watch: Watch | undefined;
  #isClosed = false;

  private constructor(service: string, module: WebAssembly.Module, options: InstancesOptions) {
    this.#service = service;
    this.#options = options;
    const { routing } = createGatewayMetrics(options.metrics).forModel(service);
    const choices = { ...DEFAULT_ROUTING, policy: options.policy };
    this.#router = new ModelRouter<Instance>(module, BLOCK_SIZE, choices, routing, options.log);
  }

  static async open(service: string, options: InstancesOptions): Promise<ServiceInstances> {
    const path = new URL("../router-wasm/router.wasm", import.meta.url);
    const instances = new ServiceInstances(service, await compileRouter(await readFile(path)), options);
    instances.#watch = await followKeys(options.discovery, keysOf(service), {
      onPut: (key, value) => instances.#put(key, value),
      onDelete: (key) => instances.#remove(key),
    });
    return instances;
  }

  names(): string[] {
    return [...this.#instances.values()]
      .filter(({ isReady }) => isReady)
      .map(({ instance }) => instance.name);
  }

  /** Resolves when an instance is connected. @throws PlaneError `connection_lost` after `waitMs` */
  async ready(waitMs: number): Promise<void> {
    await this.#wait(waitMs, () => this.names().length > 0);
  }

  /**
   * Chooses an instance, waiting for one.
   *
   * @param late the error if none can take the request in time
   * @throws PlaneError `connection_lost` by default; at once after `close`
   */
  async route(request: InstanceRequest, waitMs: number, late?: () => PlaneError): Promise<InstanceRoute> {
    let chosen: InstanceRoute | undefined;
    const isChosen = () => {
      chosen = this.#choose(request);
      return chosen !== undefined;
    };
    await this.#wait(waitMs, isChosen, late);
    return chosen!;
  }

  close(): void {
    this.#isClosed = true;
    for (const check of [...this.#waiting]) check();
    this.#watch?.close();
    for (const [key, instance] of [...this.#instances]) {
      this.#remove(key);
      instance.client?.close();
    }
  }

  #choose({ requestId, tokens, excluded, name }: InstanceRequest): InstanceRoute | undefined {
    const all = [...this.#instances.values()];
    const route = this.#router.route({
      prompt: exactPrompt(tokens),
      requestId,
      preferences: { ...NO_PREFERENCES, worker: name },
      excluded: all.filter(({ instance }) => excluded.includes(instance.id)),
    });
    if (typeof route === "string") return undefined;
    const { client, instance } = route.worker;
    if (client === undefined) {
      route.free("failed");
      return undefined;
    }
    return {
      id: instance.id,
      client,
      firstItem: () => route.firstToken(),
      free: () => route.free("finished"),
    };
  }

  async #wait(
    waitMs: number,
    isDone: () => boolean,
    late = () => new PlaneError("connection_lost", this.#nobody),
  ): Promise<void> {
    if (this.#isClosed) throw closedError();
    if (isDone()) return;
    await new Promise<void>((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        this.#waiting.delete(check);
      };
      const check = () => {
        if (!this.#isClosed && !isDone()) return;
        end();
        if (this.#isClosed) reject(closedError());
        else resolve();
      };
      const timer = setTimeout(() => {
        end();
        reject(late());
      }, waitMs);
      this.#waiting.add(check);
    });
  }

  get #nobody(): string {
    return `No instance of the service '${this.#service}' can take the request. Is one running, with the same discovery?`;
  }

  #put(key: string, value: JsonValue): void {
    const parsed = registrationSchema.safeParse(value);
    if (!parsed.success) {
      this.#options.log.warn("ignored an invalid registration of a service", { key });
      return;
    }
    const known = this.#instances.get(key);
    if (known?.address === parsed.data.address) {
      if (parsed.data.isLeaving) known.stop();
      return;
    }
    this.#remove(key);
    if (parsed.data.isLeaving) return;
    const instance = new Instance(parsed.data, this.#options, () => this.#onChange(instance));
    this.#instances.set(key, instance);
    this.#router.addWorker(instance);
    instance.open();
  }

  #remove(key: string): void {
    const instance = this.#instances.get(key);
    if (instance === undefined) return;
    this.#instances.delete(key);
    instance.stop();
    this.#router.removeWorker(instance);
  }

  #onChange(instance: Instance): void {
    this.#router.updateWorker(instance);
    for (const check of [...this.#waiting]) check();
  }
}

const closedError = () => new PlaneError("connection_lost", "The client is closed.");

/** One instance of a service, connected as long as discovery has it. */
class Instance implements RoutedWorker {
  readonly instance;
  readonly address: string;
  client: RequestPlaneClient | undefined;
  readonly #reconnector: Reconnector;
  readonly #onChange: () => void;

  constructor({ id, name, address }: Registration, options: InstancesOptions, onChange: () => void) {
    this.instance = { id, name, card: CARD };
    this.address = address;
    this.#onChange = onChange;
    this.#reconnector = new Reconnector({
      connect: () => connect(address, options.connect),
      use: (client) => this.#use(client),
      onUnreachable: (error) => options.log.debug("an instance cannot be reached", { reason: String(error) }),
    });
  }

  get isReady(): boolean {
    return this.client !== undefined && !this.#reconnector.isStopped;
  }

  open(): void {
    this.#reconnector.open();
  }

  /** Takes no more requests; those that run go on until it ends the connection. */
  stop(): void {
    if (this.#reconnector.isStopped) return;
    this.#reconnector.stop();
    this.#onChange();
  }

  async #use(client: RequestPlaneClient): Promise<void> {
    this.client = client;
    this.#onChange();
    await client.closed;
    this.client = undefined;
    if (!this.#reconnector.isStopped) this.#onChange();
  }
}

/** A service has none of a model's properties; these make its instances alike to the router. */
const CARD = {
  role: "aggregated",
  tags: [],
  blockSize: BLOCK_SIZE,
  totalBlocks: 0,
  maxBatchedTokens: 8_192,
  maxSequences: 256,
  dataParallelSize: 1,
} satisfies RoutedWorker["instance"]["card"];
