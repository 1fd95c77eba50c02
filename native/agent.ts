import { randomBytes } from "node:crypto";
import type { Driver, DriverContext, DriverLink, DriverMemory } from "./driver.ts";
import { asTransferError, TransferError } from "./errors.ts";
import { checkSource } from "./memory-source.ts";
import { NotificationInbox } from "./notifications.ts";
import { ConnectedPeer } from "./peer.ts";
import { OwnRegistration } from "./registration.ts";
import type {
  MemorySource,
  Peer,
  Registration,
  TransferAgent,
  TransferKind,
  TransferNotification,
  TransferTelemetry,
} from "./transfer.ts";
import { type AgentMetadata, decodeMetadata, encodeMetadata } from "./wire/messages.ts";

/** Largest memory in one registration: far above any KV cache, and safe as a number. */
const MAX_BYTES = 2 ** 47;

/** How to open one kind; the agent opens those that it offers, in the order of its preference. */
export type OpenDriver = (context: DriverContext) => Promise<Driver>;

export interface AgentSettings {
  readonly name: string;
  readonly host: string;
  readonly choice: string;
  readonly stallTimeoutMs: number;
}

/** A transfer agent over one or more kinds: checks, owns and counts; the drivers move the bytes. */
export class Agent implements TransferAgent {
  readonly name: string;
  readonly choice: string;
  /** Random; peers and descriptors refer to it. */
  readonly id = randomBytes(16).toString("hex");
  readonly #settings: AgentSettings;
  readonly #drivers: Driver[] = [];
  readonly #registrations = new Set<OwnRegistration>();
  readonly #peers = new Set<ConnectedPeer>();
  readonly #inbox = new NotificationInbox((enabled) => {
    for (const driver of this.#drivers) driver.listen(enabled);
  });
  readonly #totals = { completed: 0, failed: 0, running: 0, bytes: 0, microseconds: 0 };
  #closing: Promise<void> | undefined;

  private constructor(settings: AgentSettings) {
    this.#settings = settings;
    this.name = settings.name;
    this.choice = settings.choice;
  }

  /** Opens all drivers; if one fails, those already open are closed. */
  static async open(settings: AgentSettings, open: readonly OpenDriver[]): Promise<Agent> {
    const agent = new Agent(settings);
    const context: DriverContext = {
      id: agent.id,
      name: settings.name,
      stallTimeoutMs: settings.stallTimeoutMs,
      onNotification: (from, message) => agent.#inbox.add({ from, message }),
    };
    try {
      for (const openDriver of open) agent.#drivers.push(await openDriver(context));
      return agent;
    } catch (error) {
      await agent[Symbol.asyncDispose]();
      throw error;
    }
  }

  get kind(): TransferKind {
    return this.#drivers[0]!.kind;
  }

  metadata(): Uint8Array {
    this.#checkOpen();
    const addresses = new Map(this.#drivers.map(({ kind, address }) => [kind, address]));
    return encodeMetadata({ id: this.id, name: this.name, host: this.#settings.host, addresses });
  }

  async allocate(bytes: number): Promise<Registration> {
    this.#checkOpen();
    if (!Number.isSafeInteger(bytes) || bytes <= 0 || bytes > MAX_BYTES)
      throw new TransferError("invalid", "The number of bytes to allocate must be a positive integer.");
    const allocator = this.#drivers.find((driver) => driver.allocate !== undefined);
    return this.register(allocator?.allocate?.(bytes) ?? allocatePlain(bytes));
  }

  async register(source: MemorySource): Promise<Registration> {
    this.#checkOpen();
    const checked = checkSource(source);
    const key = randomBytes(8).readBigUInt64LE() | 1n; // never 0, which says that a registration has ended
    const memories = new Map<TransferKind, DriverMemory>();
    const release = () => {
      for (const memory of memories.values()) memory.release();
    };
    try {
      for (const driver of this.#drivers) {
        const memory = await driver.register(checked, key);
        if (memory !== undefined) memories.set(driver.kind, memory);
      }
      this.#checkOpen();
      if (memories.size === 0) {
        const message = `Agent ${this.name} (${this.kind}) cannot register this kind of memory.`;
        throw new TransferError("unavailable", message);
      }
    } catch (error) {
      release();
      throw error;
    }
    const registration = new OwnRegistration(this.id, key, checked, memories, () => {
      this.#registrations.delete(registration);
      release();
    });
    this.#registrations.add(registration);
    return registration;
  }

  async connect(bytes: Uint8Array): Promise<Peer> {
    this.#checkOpen();
    const metadata = decodeMetadata(bytes);
    const isSameHost = metadata.host === this.#settings.host;
    const common = this.#drivers.filter(
      ({ kind }) => metadata.addresses.has(kind) && (kind !== "shared-memory" || isSameHost),
    );
    if (common.length === 0) {
      const where = isSameHost ? "on this host" : "on another host";
      const message = `Agents ${this.name} (${this.#drivers.map(({ kind }) => kind).join(", ")}) and ${metadata.name} (${[...metadata.addresses.keys()].join(", ")}), ${where}, have no kind of transfer in common.`;
      throw new TransferError("refused", message);
    }
    const [driver, link] = await this.#reach(common, metadata);
    const choice = `${driver.kind} with ${metadata.name} ${isSameHost ? "on this host" : "on another host"}: both have it`;
    const peer = new ConnectedPeer(metadata, driver.kind, choice, link, {
      started: () => this.#totals.running++,
      ended: (result) => {
        this.#totals.running--;
        if (result === undefined) {
          this.#totals.failed++;
          return;
        }
        this.#totals.completed++;
        this.#totals.bytes += result.bytes;
        this.#totals.microseconds += result.microseconds;
      },
      disposed: () => this.#peers.delete(peer),
      ownId: this.id,
    });
    this.#peers.add(peer);
    if (this.#closing !== undefined) peer[Symbol.dispose]();
    this.#checkOpen();
    return peer;
  }

  /** The first of these kinds over which the peer can be reached. */
  async #reach(drivers: readonly Driver[], { addresses }: AgentMetadata): Promise<[Driver, DriverLink]> {
    let failure: unknown;
    for (const driver of drivers) {
      try {
        return [driver, await driver.connect(addresses.get(driver.kind)!)];
      } catch (error) {
        failure ??= error;
      }
    }
    throw asTransferError(failure, "peer_lost");
  }

  onNotification(listener: (notification: TransferNotification) => void): () => void {
    this.#checkOpen();
    return this.#inbox.listen(listener);
  }

  notifications(signal?: AbortSignal): AsyncIterable<TransferNotification> {
    this.#checkOpen();
    return this.#inbox.iterate(signal);
  }

  telemetry(): TransferTelemetry {
    const registrations = [...this.#registrations];
    return {
      ...this.#totals,
      registrations: registrations.length,
      registeredBytes: registrations.reduce((total, { length }) => total + length, 0),
      peers: this.#peers.size,
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const peer of this.#peers) peer[Symbol.dispose]();
    for (const registration of this.#registrations) registration[Symbol.dispose]();
    this.#inbox.close();
    await Promise.all(this.#drivers.map((driver) => driver.close()));
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new TransferError("aborted", `Agent ${this.name} is closed.`);
  }
}

/** Not from Buffer's pool, so that nothing else shares its ArrayBuffer. */
function allocatePlain(bytes: number): Buffer {
  try {
    return Buffer.from(new ArrayBuffer(bytes));
  } catch (cause) {
    throw new TransferError("unavailable", `There is not enough memory for ${bytes} bytes.`, { cause });
  }
}
