import { connect, type Socket } from "node:net";
import { connectPlace } from "./endpoint.ts";
import { FrameReader } from "./frame-reader.ts";
import { command, greeting, message, readyCommand } from "./framing.ts";

/** A peer that a test controls byte by byte. */
export class TestPeer {
  readonly socket: Socket;
  /** What it received: READY's socket type, messages as frames joined by commas, and commands. */
  readonly received: string[] = [];
  readonly #waiting: { until: (received: string) => boolean; resolve: (received: string) => void }[] = [];
  readonly #closed: Promise<void>;
  #pings = 0;

  /** Connects without sending anything. */
  constructor(endpoint: string) {
    this.socket = connect({ ...connectPlace(endpoint), noDelay: true });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closed = promise;
    this.socket.on("close", () => resolve());
    this.socket.on("error", () => {});
    const reader = new FrameReader(2 ** 30, {
      onReady: (type) => this.#hear(type),
      onMessage: (frames) => this.#hear(frames.map((frame) => frame.toString("latin1")).join(",")),
      onCommand: (name, data) => this.#hear(`${name} ${data.toString("latin1")}`),
    });
    this.socket.on("data", (bytes) => {
      try {
        reader.push(bytes);
      } catch (error) {
        this.#hear(String(error));
      }
    });
  }

  /** Connects and completes the handshake. @param minor the minor version of 3 */
  static async greeted(endpoint: string, type: string, minor = 1): Promise<TestPeer> {
    const peer = new TestPeer(endpoint);
    const hello = greeting();
    hello[11] = minor;
    peer.socket.write(Buffer.concat([hello, readyCommand(type)]));
    await peer.until(() => true);
    return peer;
  }

  /** Resolves with the first past or future event that matches. */
  until(matches: (received: string) => boolean): Promise<string> {
    const found = this.received.find(matches);
    if (found !== undefined) return Promise.resolve(found);
    return new Promise((resolve) => this.#waiting.push({ until: matches, resolve }));
  }

  send(...frames: string[]): void {
    this.socket.write(message(frames.map((frame) => Buffer.from(frame, "latin1"))));
  }

  command(name: string, data: string): void {
    this.socket.write(command(name, Buffer.from(data, "latin1")));
  }

  /** Resolves when the peer has read everything sent to it. */
  async settle(): Promise<void> {
    const context = `settled ${this.#pings++}`;
    this.command("PING", `\0\0${context}`);
    await this.until((received) => received === `PONG ${context}`);
  }

  /** Resolves when the connection is over. */
  get closed(): Promise<void> {
    return this.#closed;
  }

  close(): void {
    this.socket.destroy();
  }

  #hear(what: string): void {
    this.received.push(what);
    for (const { until, resolve } of this.#waiting) if (until(what)) resolve(what);
  }
}
