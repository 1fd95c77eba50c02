/** For tests: two ends of a channel within one process. */
import type { Channel, FrontChannel, RouterChannel } from "./messages.ts";

/** What is sent is copied, and comes in a later turn of the event loop, as between processes. */
export function testChannels(): { front: FrontChannel; router: RouterChannel } {
  const front: FrontChannel = { onMessage() {}, send: (message) => deliver(router, message) };
  const router: RouterChannel = { onMessage() {}, send: (message) => deliver(front, message) };
  return { front, router };
}

function deliver<In>(to: Pick<Channel<never, In>, "onMessage">, message: In): void {
  const copy = structuredClone(message);
  setImmediate(() => to.onMessage(copy));
}
