/** For tests: two ends of a channel within one process. */
import type { Channel, FrontChannel, RouterChannel, ToFront, ToRouter } from "./messages.ts";

/** What is sent is copied, and comes in a later turn of the event loop, as between processes. */
export function testChannels(): { front: FrontChannel; router: RouterChannel } {
  const front: TestChannel<ToRouter, ToFront> = new TestChannel((message) => router.receive(message));
  const router: TestChannel<ToFront, ToRouter> = new TestChannel((message) => front.receive(message));
  return { front, router };
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
