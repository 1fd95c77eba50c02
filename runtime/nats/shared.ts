import type { NatsConnection } from "@nats-io/transport-node";
import { connectToNats, parseNatsUrl } from "./connect.ts";

interface Shared {
  readonly connection: Promise<NatsConnection>;
  users: number;
}

/** One connection per URL. */
const connections = new Map<string, Shared>();

export interface SharedNats {
  readonly connection: NatsConnection;
  /** Closes the connection once it has no other users. */
  release(): void;
}

/**
 * The process's connection to NATS at this URL, opened when it is first used.
 * @param timeoutMs timeout of opening it
 * @throws the errors of `connectToNats`
 */
export async function shareNats(url: string, timeoutMs: number): Promise<SharedNats> {
  let shared = connections.get(url);
  if (shared === undefined) {
    shared = { connection: connectToNats(parseNatsUrl(url.replace(/^nats:/, "")), timeoutMs), users: 0 };
    connections.set(url, shared);
  }
  const taken = shared;
  taken.users++;
  let isReleased = false;
  const release = () => {
    if (isReleased) return;
    isReleased = true;
    if (--taken.users > 0) return;
    if (connections.get(url) === taken) connections.delete(url);
    taken.connection.then(
      (connection) => connection.close(),
      () => {},
    );
  };
  try {
    return { connection: await taken.connection, release };
  } catch (error) {
    release();
    throw error;
  }
}
