import { connectToNats, parseNatsUrl } from "./connect.ts";

/** What a NATS server can do. */
export interface NatsExamination {
  readonly roundTripMs: number;
  readonly hasJetStream: boolean;
}

/** @throws as `connectToNats` */
export async function examineNats(url: string, timeoutMs: number): Promise<NatsExamination> {
  const connection = await connectToNats(parseNatsUrl(url.replace(/^nats:/, "")), timeoutMs);
  try {
    const since = performance.now();
    await connection.flush();
    const roundTripMs = performance.now() - since;
    const { jetstreamManager } = await import("@nats-io/jetstream");
    const hasJetStream = await jetstreamManager(connection, { timeout: timeoutMs })
      .then((manager) => manager.getAccountInfo())
      .then(
        () => true,
        () => false,
      );
    return { roundTripMs, hasJetStream };
  } finally {
    await connection.close();
  }
}
