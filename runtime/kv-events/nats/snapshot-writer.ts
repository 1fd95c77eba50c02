import type { KvSnapshot } from "../publisher.ts";
import { messageKind } from "../wire.ts";
import { snapshotSubject } from "./names.ts";
import type { NatsKvEvents } from "./stream.ts";

/** Parts between two acknowledged ones. */
const ACK_PARTS = 8;

/**
 * Writes a snapshot to the stream, in place of the previous one: one part in each turn of the event loop, and no more of
 * them than the stream takes.
 * @param goesOn whether to continue
 * @returns whether it is complete: a cache whose parts are too large for NATS has no snapshot there
 * @throws Error if the stream does not answer
 */
export async function writeSnapshot(
  stream: NatsKvEvents,
  subject: string,
  { messages }: KvSnapshot,
  goesOn: () => boolean,
): Promise<boolean> {
  const { connection } = stream;
  const target = snapshotSubject(subject);
  const limit = connection.info?.max_payload ?? Number.POSITIVE_INFINITY;
  let count = 0;
  for (const message of messages) {
    if (!goesOn() || message.length > limit) return false;
    if (count === 0) await stream.publishAcknowledged(target, message, { replaces: true });
    else if (count % ACK_PARTS === 0 || message[0] === messageKind.snapshotEnd)
      await stream.publishAcknowledged(target, message);
    else connection.publish(target, message);
    count++;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return true;
}
