import type { Driver, DriverContext, DriverLink, DriverMemory, DriverSource } from "../driver.ts";
import { TransferError } from "../errors.ts";
import { ByteReader, ByteWriter } from "../wire/bytes.ts";
import { type Addon, loadAddon, MemoryType } from "./addon.ts";
import { AgentCalls } from "./agent-calls.ts";
import type { NixlInstallation } from "./find.ts";
import { NixlLink } from "./link.ts";
import { NixlMemory } from "./memory.ts";

/**
 * Opens a NIXL agent with the UCX backend, which chooses among RDMA, shared memory and TCP, and the POSIX backend for
 * files where it works.
 * @throws TransferError `unavailable` if the addon or the library cannot be loaded, and why
 */
export async function openNixl(
  context: DriverContext,
  { library }: NixlInstallation,
  parameters: Readonly<Record<string, string>>,
): Promise<Driver> {
  const addon = loadAddon();
  const calls = new AgentCalls(addon, library, context, Object.entries(parameters).flat());
  try {
    const { payload } = await calls.call((agent, operation) => agent.open(operation));
    return new NixlDriver(addon, calls, context, payload);
  } catch (error) {
    await calls.close();
    throw error;
  }
}

class NixlDriver implements Driver {
  readonly kind = "nixl";
  readonly address: Uint8Array;
  readonly #addon: Addon;
  readonly #calls: AgentCalls;
  readonly #context: DriverContext;
  /** Connections by peer: NIXL knows a peer once, however often it is connected. */
  readonly #links = new Map<string, number>();

  constructor(addon: Addon, calls: AgentCalls, context: DriverContext, metadata: Uint8Array) {
    this.#addon = addon;
    this.#calls = calls;
    this.#context = context;
    this.address = new ByteWriter().text(context.id).bytes(metadata).finish();
  }

  allocate(bytes: number): Buffer {
    try {
      return Buffer.from(this.#addon.allocate(bytes));
    } catch (cause) {
      throw new TransferError("unavailable", `There is not enough memory for ${bytes} bytes.`, { cause });
    }
  }

  async register(source: DriverSource, key: bigint): Promise<DriverMemory | undefined> {
    const { type, address, device } = placeOf(source);
    const { payload, number } = await this.#calls.call((agent, operation) => {
      const memory = source instanceof Uint8Array ? source : undefined;
      agent.register(operation, key, key, type, memory, address, BigInt(source.length), device);
    });
    // The addon answers with the address and what NIXL needs on the peer's side.
    const token = encodeToken(type, payload.readBigUInt64LE(), device, number, payload.subarray(8));
    return new NixlMemory(key, token, () => this.#calls.send((agent) => agent.deregister(key)));
  }

  async connect(address: Uint8Array): Promise<DriverLink> {
    const reader = new ByteReader(address, "The metadata");
    const [peer, metadata] = [reader.text(), reader.bytes()];
    if (peer !== this.#context.id)
      await this.#calls.call((agent, operation) => agent.load(operation, peer, metadata, NOTHING));
    this.#links.set(peer, (this.#links.get(peer) ?? 0) + 1);
    const isSelf = peer === this.#context.id;
    return new NixlLink(this.#calls, { peer, metadata, isSelf, ownName: this.#context.name }, () => {
      const left = this.#links.get(peer)! - 1;
      this.#links.set(peer, left);
      if (left === 0 && !isSelf) this.#calls.send((agent) => agent.forget(peer));
    });
  }

  listen(enabled: boolean): void {
    this.#calls.send((agent) => agent.listen(enabled));
  }

  close(): Promise<void> {
    return this.#calls.close();
  }
}

const NOTHING = new Uint8Array();

function placeOf(source: DriverSource): { type: number; address: bigint; device: bigint } {
  if (source instanceof Uint8Array) return { type: MemoryType.dram, address: 0n, device: 0n };
  // NIXL addresses a file by its descriptor, as the device, and an offset.
  if ("fd" in source) return { type: MemoryType.file, address: 0n, device: BigInt(source.fd) };
  const type = source.memory === "device" ? MemoryType.vram : MemoryType.dram;
  return { type, address: source.address, device: BigInt(source.deviceId ?? 0) };
}

function encodeToken(
  type: number,
  address: bigint,
  device: bigint,
  keyAddress: bigint,
  metadata: Uint8Array,
) {
  return new ByteWriter().u8(type).u64(address).u64(device).u64(keyAddress).bytes(metadata).finish();
}
