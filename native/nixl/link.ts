import type { DriverLink, DriverPost, DriverPrepared, DriverTransfer } from "../driver.ts";
import { TransferError } from "../errors.ts";
import { ByteReader, ByteWriter } from "../wire/bytes.ts";
import { Direction, MemoryType } from "./addon.ts";
import type { AgentCalls } from "./agent-calls.ts";
import type { NixlMemory } from "./memory.ts";

export interface NixlPeer {
  /** NIXL's name of the agent. */
  readonly peer: string;
  readonly metadata: Uint8Array;
  /** NIXL knows itself without metadata. */
  readonly isSelf: boolean;
  /** Which the peer sees in notifications. */
  readonly ownName: string;
}

const TYPES: readonly number[] = Object.values(MemoryType);

export class NixlLink implements DriverLink {
  readonly #calls: AgentCalls;
  readonly #peer: NixlPeer;
  readonly #onClose: () => void;
  /** Keys of the peer's registrations that NIXL knows. */
  #loaded = new Set<bigint>();

  constructor(calls: AgentCalls, peer: NixlPeer, onClose: () => void) {
    this.#calls = calls;
    this.#peer = peer;
    this.#onClose = onClose;
  }

  async run(transfer: DriverTransfer, { signal, notify }: DriverPost): Promise<void> {
    const remote = await this.#load(transfer);
    const id = this.#calls.nextTransfer();
    await this.#untilStopped(id, signal, () => this.#prepare(id, transfer, remote, true, notify));
  }

  async prepare(transfer: DriverTransfer): Promise<DriverPrepared> {
    const remote = await this.#load(transfer);
    const id = this.#calls.nextTransfer();
    await this.#prepare(id, transfer, remote, false, undefined);
    return {
      post: ({ signal, notify }) =>
        this.#untilStopped(id, signal, () =>
          this.#calls.call((agent, operation) => agent.post(operation, id, this.#wrap(notify))),
        ),
      release: () => this.#calls.send((agent) => agent.release(id)),
    };
  }

  async notify(message: Uint8Array): Promise<void> {
    await this.#calls.call((agent, operation) =>
      agent.notify(operation, this.#peer.peer, this.#wrap(message)!),
    );
  }

  close(): void {
    this.#onClose();
  }

  /** The peer's memory from its token; its metadata is loaded once. */
  async #load({ token, key }: DriverTransfer): Promise<RemoteMemory> {
    const reader = new ByteReader(token, "The descriptor");
    const [type, base, device, keyAddress] = [reader.u8(), reader.u64(), reader.u64(), reader.u64()];
    const metadata = reader.bytes();
    const { peer, metadata: agentMetadata, isSelf } = this.#peer;
    if (!TYPES.includes(type))
      throw new TransferError("invalid", "The descriptor has an unknown kind of memory.");
    if (type === MemoryType.file && !isSelf)
      throw new TransferError(
        "refused",
        "NIXL reaches a registered file only from the agent that registered it.",
      );
    if (!isSelf && !this.#loaded.has(key)) {
      const { number } = await this.#calls.call((agent, operation) =>
        agent.load(operation, peer, agentMetadata, metadata),
      );
      // Everything else had to be forgotten.
      if (number === 1n) this.#loaded = new Set();
      this.#loaded.add(key);
    }
    return { type, base, device, keyAddress };
  }

  #prepare(
    id: number,
    { direction, memory, key, pieces }: DriverTransfer,
    { type, base, device, keyAddress }: RemoteMemory,
    postNow: boolean,
    notify: Uint8Array | undefined,
  ) {
    const numbers = new Float64Array(pieces.length * 3);
    for (const [index, { local, remote, length }] of pieces.entries())
      numbers.set([local, remote, length], index * 3);
    return this.#calls.call((agent, operation) => {
      agent.prepare(
        operation,
        id,
        Direction[direction],
        (memory as NixlMemory).id,
        numbers,
        this.#peer.peer,
        type,
        base,
        device,
        // An agent knows its own registrations.
        this.#peer.isSelf ? 0n : keyAddress,
        key,
        postNow,
        this.#wrap(notify),
      );
    });
  }

  async #untilStopped(id: number, signal: AbortSignal, start: () => Promise<unknown>): Promise<void> {
    const onAbort = () => this.#calls.send((agent) => agent.abort(id));
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      await start();
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** NIXL says only its own name of the sender. */
  #wrap(message: Uint8Array | undefined): Uint8Array | undefined {
    return message && new ByteWriter().text(this.#peer.ownName).bytes(message).finish();
  }
}

interface RemoteMemory {
  readonly type: number;
  readonly base: bigint;
  readonly device: bigint;
  readonly keyAddress: bigint;
}
