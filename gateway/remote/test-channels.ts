/** For tests: two ends of a channel within one process. */
import type { AcceptorChannel, Channel, RouterChannel, ToAcceptor, ToRouter } from "./messages.ts";

/** Messages are copied and arrive in a later turn of the event loop, as between processes. */
export function testChannels(): { acceptor: AcceptorChannel; router: RouterChannel } {
  const acceptor: TestChannel<ToRouter, ToAcceptor> = new TestChannel((message) => router.receive(message));
  const router: TestChannel<ToAcceptor, ToRouter> = new TestChannel((message) => acceptor.receive(message));
  return { acceptor, router };
}

class TestChannel<Out, In> implements Channel<Out, In> {
  readonly #deliver: (message: Out) => void;
  #onMessage: ((message: In) => void) | undefined;
  #early: In[] = [];

  constructor(deliver: (message: Out) => void) {
    this.#deliver = deliver;
  }

  set onMessage(onMessage: (message: In) => void) {
    this.#onMessage = onMessage;
    for (const message of this.#early.splice(0)) onMessage(message);
  }

  send(message: Out): void {
    const copy = structuredClone(message);
    setImmediate(() => this.#deliver(copy));
  }

  receive(message: In): void {
    if (this.#onMessage === undefined) this.#early.push(message);
    else this.#onMessage(message);
  }
}
