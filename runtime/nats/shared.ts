import type { NatsConnection } from "@nats-io/transport-node";
import { connectToNats, parseNatsUrl } from "./connect.ts";

interface Shared {
  readonly connection: Promise<NatsConnection>;
  users: number;
}

/** One connection for each URL. */
const connections = new Map<string, Shared>();

export interface SharedNats {
  readonly connection: NatsConnection;
  /** Closes the connection once nobody else uses it. */
  release(): void;
}

/**
 * The process's connection to NATS at this URL, made when it is first used.
 * @param timeoutMs how long that may take
 * @throws as `connectToNats`
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
