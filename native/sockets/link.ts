import type { Socket } from "node:net";
import type { DriverLink, DriverPost, DriverPrepared, DriverTransfer } from "../driver.ts";
import { TransferError } from "../errors.ts";
import { type Piece, totalOf } from "../wire/ranges.ts";
import { encodeFrame, type Frame, FrameReader, FrameType } from "./frames.ts";
import { Lanes } from "./lanes.ts";
import { cutIntoSteps, type SocketMemory } from "./memory.ts";
import { decodeFailure, encodeHello, encodeStep, type Hello, MAX_PIECES } from "./messages.ts";
import { SLOT_BYTES, SLOTS, type StagingFile } from "./staging-file.ts";

/** Steps in flight without a staging file: enough to fill a link of 10 Gb/s with 5 ms of latency. */
const INLINE_LANES = 8;

interface Call {
  readonly targets: readonly Buffer[] | undefined;
  resolve(): void;
  reject(error: TransferError): void;
}

/** The client's end of a connection: cuts transfers into steps and asks the peer for one after another. */
export class SocketLink implements DriverLink {
  readonly #socket: Socket;
  readonly #staging: StagingFile | undefined;
  readonly #stallTimeoutMs: number;
  readonly #lanes: Lanes;
  readonly #calls = new Map<number, Call>();
  #nextId = 1;
  #heardAt = 0;
  #watch: NodeJS.Timeout | undefined;
  #lost: TransferError | undefined;

  private constructor(socket: Socket, staging: StagingFile | undefined, stallTimeoutMs: number) {
    this.#socket = socket;
    this.#staging = staging;
    this.#stallTimeoutMs = stallTimeoutMs;
    this.#lanes = new Lanes(staging === undefined ? INLINE_LANES : SLOTS);
    const reader = new FrameReader({
      onHead: (frame) => this.#onHead(frame),
      onEnd: (frame) => this.#onEnd(frame),
    });
    socket.on("data", (chunk: Buffer) => {
      this.#heardAt = Date.now();
      try {
        reader.push(chunk);
      } catch (error) {
        this.#lose(
          new TransferError("peer_lost", "The peer does not speak this protocol.", { cause: error }),
        );
      }
    });
    socket.on("error", (cause) => this.#lose(lost(cause)));
    socket.once("close", () => this.#lose(lost()));
    socket.unref();
  }

  /** Introduces this agent on a connected socket. @throws TransferError; then the socket is destroyed */
  static async greet(
    socket: Socket,
    hello: Omit<Hello, "stagingFile">,
    staging: StagingFile | undefined,
    stallTimeoutMs: number,
  ): Promise<SocketLink> {
    const link = new SocketLink(socket, staging, stallTimeoutMs);
    try {
      const head = encodeHello({ ...hello, stagingFile: staging?.path ?? "" });
      await link.#call(FrameType.hello, head);
      return link;
    } catch (error) {
      link.close();
      throw error;
    } finally {
      staging?.removeName();
    }
  }

  async prepare(transfer: DriverTransfer): Promise<DriverPrepared> {
    return { post: (options) => this.run(transfer, options), release: () => {} };
  }

  async run(transfer: DriverTransfer, { signal, notify }: DriverPost): Promise<void> {
    const running = new Set<Promise<void>>();
    let failure: unknown;
    for (const pieces of cutIntoSteps(transfer.pieces, SLOT_BYTES, MAX_PIECES, cutPiece)) {
      const lane = await this.#lanes.take(signal).catch((error) => {
        failure ??= error;
      });
      if (lane === undefined) break;
      const step = this.#step(transfer, pieces, lane, signal)
        .catch((error) => {
          failure ??= error;
        })
        .finally(() => {
          this.#lanes.giveBack(lane);
          running.delete(step);
        });
      running.add(step);
      if (failure !== undefined) break;
    }
    await Promise.all(running);
    if (failure !== undefined) throw failure;
    if (notify !== undefined) await this.notify(notify);
  }

  async notify(message: Uint8Array): Promise<void> {
    await this.#call(FrameType.notify, message);
  }

  close(): void {
    this.#lose(new TransferError("aborted", "The connection has been disposed of."));
  }

  async #step(
    transfer: DriverTransfer,
    pieces: readonly Piece[],
    slot: number,
    signal: AbortSignal,
  ): Promise<void> {
    signal.throwIfAborted();
    const memory = transfer.memory as SocketMemory;
    const local = pieces.map(({ local: offset, length }) => ({ offset, length }));
    const remote = pieces.map(({ remote: offset, length }) => ({ offset, length }));
    const head = encodeStep({ key: transfer.key, slot, pieces: remote });
    if (transfer.direction === "read") {
      const targets = memory.targets(local);
      await this.#call(FrameType.fetch, head, this.#staging === undefined ? targets : undefined);
      await this.#staging?.read(slot, targets);
      return memory.save(local, targets);
    }
    const buffers = await memory.load(local);
    if (this.#staging === undefined) return this.#call(FrameType.store, head, undefined, buffers);
    await this.#staging.write(slot, buffers);
    return this.#call(FrameType.store, head);
  }

  /** @param targets where the answer's body goes. @param body the request's body */
  #call(
    type: number,
    head: Uint8Array,
    targets?: readonly Buffer[],
    body: readonly Buffer[] = [],
  ): Promise<void> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    const id = this.#nextId;
    this.#nextId = (id + 1) % 2 ** 32;
    return new Promise((resolve, reject) => {
      if (this.#calls.size === 0) this.#startWatching();
      this.#calls.set(id, { targets, resolve, reject });
      this.#socket.cork();
      this.#socket.write(encodeFrame(type, id, head, totalOf(body)));
      for (const buffer of body) this.#socket.write(buffer);
      this.#socket.uncork();
    });
  }

  #onHead({ type, id, bodyLength }: Frame): readonly Buffer[] | undefined {
    const call = this.#calls.get(id);
    if (call === undefined || type !== FrameType.done) return undefined;
    if (totalOf(call.targets ?? []) !== bodyLength)
      throw new TransferError("wrong_size", "The peer's answer has another length than was asked for.");
    return call.targets;
  }

  #onEnd({ type, id, head }: Frame): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    this.#calls.delete(id);
    if (this.#calls.size === 0) this.#stopWatching();
    if (type === FrameType.done) call.resolve();
    else call.reject(decodeFailure(head));
  }

  /** While the link waits for answers, it keeps the process running, and notices a peer that has stopped answering. */
  #startWatching(): void {
    this.#heardAt = Date.now();
    this.#socket.ref();
    this.#watch = setInterval(() => {
      if (Date.now() - this.#heardAt < this.#stallTimeoutMs) return;
      this.#lose(new TransferError("peer_lost", `The peer sent nothing for ${this.#stallTimeoutMs} ms.`));
    }, this.#stallTimeoutMs / 4);
  }

  #stopWatching(): void {
    clearInterval(this.#watch);
    this.#socket.unref();
  }

  #lose(error: TransferError): void {
    if (this.#lost !== undefined) return;
    this.#lost = error;
    this.#socket.destroy();
    this.#stopWatching();
    for (const call of this.#calls.values()) call.reject(error);
    this.#calls.clear();
    void this.#staging?.close();
  }
}

const lost = (cause?: unknown): TransferError =>
  new TransferError("peer_lost", "The connection to the peer was lost.", { cause });

const cutPiece = ({ local, remote }: Piece, start: number, length: number): Piece => ({
  local: local + start,
  remote: remote + start,
  length,
});
