import type { DriverLink, DriverTransfer } from "./driver.ts";
import { asTransferError, TransferError } from "./errors.ts";
import { OwnRegistration } from "./registration.ts";
import type {
  Peer,
  PostOptions,
  PreparedTransfer,
  Registration,
  TransferKind,
  TransferResult,
  TransferSpec,
} from "./transfer.ts";
import { type AgentMetadata, decodeDescriptor } from "./wire/messages.ts";
import { checkRanges, pairRanges, selectRanges, totalOf } from "./wire/ranges.ts";

/** Longest notification in bytes. */
const MAX_NOTIFICATION = 65_536;

/** What a peer reports to its agent. */
export interface PeerOwner {
  readonly ownId: string;
  started(): void;
  /** @param result undefined for a failure */
  ended(result: TransferResult | undefined): void;
  disposed(): void;
}

/** A connected peer: checks every transfer before its driver sees it. */
export class ConnectedPeer implements Peer {
  readonly name: string;
  readonly kind: TransferKind;
  readonly choice: string;
  readonly #id: string;
  readonly #link: DriverLink;
  readonly #owner: PeerOwner;
  readonly #disposed = new AbortController();

  constructor(
    { id, name }: AgentMetadata,
    kind: TransferKind,
    choice: string,
    link: DriverLink,
    owner: PeerOwner,
  ) {
    this.#id = id;
    this.name = name;
    this.kind = kind;
    this.choice = choice;
    this.#link = link;
    this.#owner = owner;
  }

  async read({ signal, notify, ...spec }: TransferSpec & PostOptions): Promise<TransferResult> {
    const transfer = this.#check("read", spec);
    return this.#count(spec.local, transfer, { signal, notify }, (options) =>
      this.#link.run(transfer, options),
    );
  }

  async write({ signal, notify, ...spec }: TransferSpec & PostOptions): Promise<TransferResult> {
    const transfer = this.#check("write", spec);
    return this.#count(spec.local, transfer, { signal, notify }, (options) =>
      this.#link.run(transfer, options),
    );
  }

  async prepare(direction: "read" | "write", spec: TransferSpec): Promise<PreparedTransfer> {
    const transfer = this.#check(direction, spec);
    const prepared = await this.#link.prepare(transfer).catch((error) => {
      throw asTransferError(error);
    });
    const ended = new AbortController();
    let running: Promise<void> | undefined;
    return {
      bytes: totalOf(transfer.pieces),
      post: async ({ signal, notify } = {}) => {
        if (running !== undefined)
          throw new TransferError(
            "invalid",
            "The transfer still runs: wait for its last post, or for its memory to settle.",
          );
        if (ended.signal.aborted)
          throw new TransferError("aborted", "The prepared transfer has been disposed of.");
        spec.local.descriptor([]); // throws if the memory has gone
        const both = signal === undefined ? ended.signal : AbortSignal.any([signal, ended.signal]);
        return this.#count(spec.local, transfer, { signal: both, notify }, (options) => {
          running = prepared.post(options).finally(() => {
            running = undefined;
          });
          return running;
        });
      },
      [Symbol.dispose]: () => {
        if (ended.signal.aborted) return;
        ended.abort();
        prepared.release();
      },
    };
  }

  async notify(message: Uint8Array): Promise<void> {
    this.#checkConnected();
    checkNotification(message);
    await this.#link.notify(message).catch((error) => {
      throw asTransferError(error);
    });
  }

  [Symbol.dispose](): void {
    if (this.#disposed.signal.aborted) return;
    this.#disposed.abort();
    this.#link.close();
    this.#owner.disposed();
  }

  #check(direction: "read" | "write", spec: TransferSpec): DriverTransfer {
    this.#checkConnected();
    const { local, localRanges, remote, remoteRanges } = spec;
    if (!(local instanceof OwnRegistration) || local.agent !== this.#owner.ownId)
      throw new TransferError("invalid", "The local memory must be registered with the peer's own agent.");
    const memory = local.memoryFor(this.kind);
    const { agent, key, ranges, tokens } = decodeDescriptor(remote);
    if (agent !== this.#id)
      throw new TransferError("invalid", `The descriptor is not from ${this.name}, but from another agent.`);
    const token = tokens.get(this.kind);
    if (token === undefined)
      throw new TransferError("refused", `${this.name} does not offer this memory over ${this.kind}.`);
    const mine = checkRanges(localRanges ?? [{ offset: 0, length: local.length }], local.length);
    const picks =
      remoteRanges === undefined ? ranges : selectRanges(ranges, checkRanges(remoteRanges, totalOf(ranges)));
    const pieces = pairRanges(mine, picks);
    if (pieces.length === 0) throw new TransferError("invalid", "The transfer has no bytes.");
    return { direction, memory, key, token, pieces };
  }

  async #count(
    local: Registration,
    { pieces }: DriverTransfer,
    { signal, notify }: { signal: AbortSignal | undefined; notify: Uint8Array | undefined },
    run: (options: { signal: AbortSignal; notify: Uint8Array | undefined }) => Promise<void>,
  ): Promise<TransferResult> {
    this.#checkConnected();
    if (notify !== undefined) checkNotification(notify);
    const disposed = this.#disposed.signal;
    const either = signal === undefined ? disposed : AbortSignal.any([signal, disposed]);
    if (either.aborted) throw aborted(either);
    const started = performance.now();
    let result: TransferResult | undefined;
    this.#owner.started();
    try {
      const running = run({ signal: either, notify });
      (local as OwnRegistration).hold(running);
      await untilAborted(running, either);
      result = { bytes: totalOf(pieces), microseconds: (performance.now() - started) * 1e3 };
      return result;
    } catch (error) {
      throw either.aborted ? aborted(either) : asTransferError(error);
    } finally {
      this.#owner.ended(result);
    }
  }

  #checkConnected(): void {
    if (this.#disposed.signal.aborted)
      throw new TransferError("aborted", `The connection to ${this.name} has been disposed of.`);
  }
}

/** Rejects as soon as the signal is aborted, even if the driver needs time to stop. */
async function untilAborted(running: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(aborted(signal));
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([running, promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

const aborted = ({ reason }: AbortSignal) =>
  new TransferError("aborted", "The transfer was aborted.", { cause: reason });

function checkNotification(message: Uint8Array): void {
  if (!(message instanceof Uint8Array) || message.length > MAX_NOTIFICATION)
    throw new TransferError(
      "invalid",
      `A notification is a Uint8Array of at most ${MAX_NOTIFICATION} bytes.`,
    );
}
