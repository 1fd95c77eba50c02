import { timingSafeEqual } from "node:crypto";
import type { Server, Socket } from "node:net";
import type { DriverContext } from "../driver.ts";
import { asTransferError, messageOf, TransferError } from "../errors.ts";
import { totalOf } from "../wire/ranges.ts";
import { encodeFrame, type Frame, FrameReader, FrameType, MAX_BODY } from "./frames.ts";
import type { SocketMemory } from "./memory.ts";
import { decodeHello, decodeStep, encodeFailure, type StepRequest } from "./messages.ts";
import type { StagingFile } from "./staging-file.ts";

/** Time within which a new connection must have presented the secret, in milliseconds. */
const GREETING_MS = 10_000;

export interface MemoryServerOptions {
  readonly server: Server;
  /** The server's event with a socket that is ready. */
  readonly connection: "connection" | "secureConnection";
  readonly secret: Uint8Array;
  readonly memories: ReadonlyMap<bigint, SocketMemory>;
  readonly context: DriverContext;
  /** Opens the client's staging file. @throws TransferError if it is not acceptable */
  openStaging(path: string): Promise<StagingFile | undefined>;
}

/** Serves this agent's memory to peers that know its secret. */
export class MemoryServer {
  readonly #options: MemoryServerOptions;
  readonly #sockets = new Set<Socket>();

  constructor(options: MemoryServerOptions) {
    this.#options = options;
    // Also those that never complete a TLS handshake.
    options.server.on("connection", (socket: Socket) => this.#track(socket));
    options.server.on(options.connection, (socket: Socket) => {
      this.#track(socket);
      new ServedPeer(socket, this.#options);
    });
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#options.server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.unref();
    socket.on("error", () => {}); // "close" follows
    socket.once("close", () => this.#sockets.delete(socket));
  }
}

/** One peer's connection. */
class ServedPeer {
  readonly #socket: Socket;
  readonly #options: MemoryServerOptions;
  readonly #greeting: NodeJS.Timeout;
  /** The steps whose bodies are arriving in frames. */
  readonly #arriving = new Map<number, { memory: SocketMemory; step: StepRequest; targets: Buffer[] }>();
  #name: string | undefined;
  #staging: StagingFile | undefined;

  constructor(socket: Socket, options: MemoryServerOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#greeting = setTimeout(() => socket.destroy(), GREETING_MS).unref();
    const reader = new FrameReader({
      onHead: (frame) => this.#onHead(frame),
      onEnd: (frame) => void this.#onEnd(frame),
    });
    socket.on("data", (chunk: Buffer) => {
      try {
        reader.push(chunk);
      } catch {
        // What is no frame is not from a peer of this protocol.
        socket.destroy();
      }
    });
    socket.once("close", () => {
      clearTimeout(this.#greeting);
      void this.#staging?.close();
    });
  }

  #onHead(frame: Frame): readonly Buffer[] | undefined {
    if (this.#name === undefined && (frame.type !== FrameType.hello || frame.bodyLength > 0))
      throw new TransferError("invalid", "The first frame must be a greeting.");
    if (frame.type !== FrameType.store || this.#staging !== undefined) return undefined;
    try {
      const step = decodeStep(frame.head);
      const memory = this.#memoryOf(step);
      if (totalOf(step.pieces) !== frame.bodyLength)
        throw new TransferError("wrong_size", "The body does not have the length of its pieces.");
      const targets = memory.targets(step.pieces);
      this.#arriving.set(frame.id, { memory, step, targets });
      return targets;
    } catch (error) {
      this.#fail(frame.id, error);
      return undefined;
    }
  }

  async #onEnd(frame: Frame): Promise<void> {
    try {
      switch (frame.type) {
        case FrameType.hello:
          return await this.#greet(frame);
        case FrameType.fetch:
          return await this.#fetch(frame);
        case FrameType.store:
          return await this.#store(frame);
        case FrameType.notify:
          this.#options.context.onNotification(this.#name!, frame.head);
          return this.#send(encodeFrame(FrameType.done, frame.id, NOTHING));
        default:
          this.#socket.destroy();
      }
    } catch (error) {
      this.#fail(frame.id, error);
      if (frame.type === FrameType.hello) this.#socket.end();
    }
  }

  async #greet(frame: Frame): Promise<void> {
    const { secret, name, stagingFile } = decodeHello(frame.head);
    const own = this.#options.secret;
    if (secret.length !== own.length || !timingSafeEqual(secret, own))
      throw new TransferError("refused", "The secret is wrong: the metadata is from another agent.");
    clearTimeout(this.#greeting);
    const staging = stagingFile === "" ? undefined : await this.#options.openStaging(stagingFile);
    if (this.#socket.destroyed) return staging?.close();
    this.#staging = staging;
    this.#name = name;
    this.#send(encodeFrame(FrameType.done, frame.id, NOTHING));
  }

  async #fetch(frame: Frame): Promise<void> {
    const step = decodeStep(frame.head);
    const buffers = await this.#memoryOf(step).load(step.pieces);
    if (this.#staging !== undefined) {
      await this.#staging.write(step.slot, buffers);
      return this.#send(encodeFrame(FrameType.done, frame.id, NOTHING));
    }
    this.#socket.cork();
    this.#send(encodeFrame(FrameType.done, frame.id, NOTHING, totalOf(buffers)));
    for (const buffer of buffers) this.#send(buffer);
    this.#socket.uncork();
  }

  async #store(frame: Frame): Promise<void> {
    if (this.#staging !== undefined) {
      const step = decodeStep(frame.head);
      const memory = this.#memoryOf(step);
      const targets = memory.targets(step.pieces);
      await this.#staging.read(step.slot, targets);
      await memory.save(step.pieces, targets);
      return this.#send(encodeFrame(FrameType.done, frame.id, NOTHING));
    }
    const arrived = this.#arriving.get(frame.id);
    if (arrived === undefined) return; // has been refused
    this.#arriving.delete(frame.id);
    await arrived.memory.save(arrived.step.pieces, arrived.targets);
    this.#send(encodeFrame(FrameType.done, frame.id, NOTHING));
  }

  #memoryOf({ key, pieces }: StepRequest): SocketMemory {
    const memory = this.#options.memories.get(key);
    if (memory === undefined) throw new TransferError("refused", "The peer has given up this memory.");
    if (totalOf(pieces) > MAX_BODY) throw new TransferError("invalid", "The request is too long.");
    return memory;
  }

  #fail(id: number, error: unknown): void {
    const failure = asTransferError(error);
    this.#send(
      encodeFrame(FrameType.failed, id, encodeFailure(new TransferError(failure.code, messageOf(failure)))),
    );
  }

  #send(bytes: Buffer): void {
    if (!this.#socket.destroyed) this.#socket.write(bytes);
  }
}

const NOTHING = new Uint8Array();
