import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Server, Socket } from "node:net";
import type { Driver, DriverContext, DriverLink, DriverSource } from "../driver.ts";
import { TransferError } from "../errors.ts";
import type { TransferKind } from "../transfer.ts";
import { ByteReader, ByteWriter } from "../wire/bytes.ts";
import { SocketLink } from "./link.ts";
import { SocketMemory } from "./memory.ts";
import { MemoryServer } from "./server.ts";
import type { StagingFile } from "./staging-file.ts";

/** Random bytes that a peer must know: 256 bits. */
const SECRET_BYTES = 32;

/** What differs between TCP and shared memory. */
export interface SocketCarrier {
  readonly kind: TransferKind;
  /** A server that listens. */
  readonly server: Server;
  /** The server's event with a socket that is ready. */
  readonly connection: "connection" | "secureConnection";
  /** Where it listens, for peers. */
  readonly place: string;
  /** Starts to connect to a peer's place. */
  connect(place: string): Socket;
  /** The event of a socket that is ready. */
  readonly ready: "connect" | "secureConnect";
  /** Creates the staging file of a connection, if this carrier uses one. */
  createStaging(): Promise<StagingFile | undefined>;
  openStaging(path: string): Promise<StagingFile | undefined>;
}

/** A driver over sockets: the one protocol of TCP and shared memory. */
export class SocketDriver implements Driver {
  readonly kind: TransferKind;
  readonly address: Uint8Array;
  readonly #carrier: SocketCarrier;
  readonly #context: DriverContext;
  readonly #memories = new Map<bigint, SocketMemory>();
  readonly #server: MemoryServer;

  constructor(carrier: SocketCarrier, context: DriverContext) {
    this.kind = carrier.kind;
    this.#carrier = carrier;
    this.#context = context;
    const secret = randomBytes(SECRET_BYTES);
    this.address = new ByteWriter().text(carrier.place).bytes(secret).finish();
    this.#server = new MemoryServer({
      server: carrier.server,
      connection: carrier.connection,
      secret,
      memories: this.#memories,
      context,
      openStaging: (path) => carrier.openStaging(path),
    });
  }

  async register(source: DriverSource, key: bigint): Promise<SocketMemory | undefined> {
    if (!(source instanceof Uint8Array) && !("fd" in source)) return undefined;
    const memory = new SocketMemory(source, () => this.#memories.delete(key));
    this.#memories.set(key, memory);
    return memory;
  }

  async connect(address: Uint8Array): Promise<DriverLink> {
    const reader = new ByteReader(address, "The metadata");
    const [place, secret] = [reader.text(), reader.bytes()];
    const { stallTimeoutMs, name } = this.#context;
    const socket = this.#carrier.connect(place);
    try {
      await once(socket, this.#carrier.ready, { signal: AbortSignal.timeout(stallTimeoutMs) });
    } catch (cause) {
      socket.destroy();
      const message = `The peer cannot be reached over ${this.kind}.`;
      throw new TransferError("peer_lost", message, { cause });
    }
    const staging = await this.#carrier.createStaging();
    return SocketLink.greet(socket, { secret, name }, staging, stallTimeoutMs);
  }

  listen(): void {} // notifications arrive by themselves

  close(): Promise<void> {
    return this.#server.close();
  }
}
