import { Publisher } from "zeromq";

/** What `ZmqKvEventPublisher` does, live messages alone, with the library zeromq. */
export class ZeromqPublisher {
  readonly endpoint: string;
  readonly #socket: Publisher;
  /** What the socket has not taken yet. */
  readonly #queue: Uint8Array[][] = [];
  #isSending = false;
  #next = 0;

  static async open({ endpoint }: { endpoint: string }): Promise<ZeromqPublisher> {
    const socket = new Publisher({ linger: 0, sendHighWaterMark: 100_000 });
    await socket.bind(endpoint);
    return new ZeromqPublisher(socket);
  }

  private constructor(socket: Publisher) {
    this.#socket = socket;
    this.endpoint = socket.lastEndpoint!;
  }

  publish(payload: Uint8Array): void {
    const sequence = Buffer.alloc(8);
    sequence.writeBigUInt64BE(BigInt(this.#next++));
    this.#queue.push([new Uint8Array(0), sequence, payload]);
    if (!this.#isSending) void this.#send();
  }

  /** The socket takes one message at a time. */
  async #send(): Promise<void> {
    this.#isSending = true;
    for (let message = this.#queue.shift(); message !== undefined; message = this.#queue.shift())
      await this.#socket.send(message);
    this.#isSending = false;
  }
}
