import { Publisher } from "zeromq";

/** Like `ZmqKvEventPublisher`, but with the library zeromq and only for live messages. */
export class ZeromqPublisher {
  readonly endpoint: string;
  readonly #socket: Publisher;
  /** Messages that the socket has not accepted yet. */
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

  /** The socket accepts one message at a time. */
  async #send(): Promise<void> {
    this.#isSending = true;
    for (let message = this.#queue.shift(); message !== undefined; message = this.#queue.shift())
      await this.#socket.send(message);
    this.#isSending = false;
  }
}
