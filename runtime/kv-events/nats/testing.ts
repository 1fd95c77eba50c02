/** For tests: what a stream holds, and a worker that publishes to it. */
import { jetstreamManager } from "@nats-io/jetstream";
import { createLogger } from "../../log.ts";
import { TestFollower, TestWorker } from "../stream/testing.ts";
import { messageKind } from "../wire.ts";
import { snapshotSubject } from "./names.ts";
import { NatsKvEventPublisher } from "./publisher.ts";
import { NatsKvEvents } from "./stream.ts";

/** Whether the stream has a publisher's snapshot, and its end. */
export async function snapshotState(
  { connection }: NatsKvEvents,
  publisher: string,
): Promise<"none" | "partial" | "whole"> {
  const { streams } = await jetstreamManager(connection);
  const subject = snapshotSubject(publisher);
  for await (const name of streams.names(subject)) {
    const last = await streams.getMessage(name, { last_by_subj: subject });
    if (last !== null) return last.data[0] === messageKind.snapshotEnd ? "whole" : "partial";
  }
  return "none";
}

export async function deleteStreams({ connection }: NatsKvEvents): Promise<void> {
  const { streams } = await jetstreamManager(connection);
  for await (const name of streams.names()) await streams.delete(name);
}

/** A worker whose publisher logs, and a gateway with a connection of its own. */
export async function publishing(url: string, gatewayUrl = url) {
  const lines: string[] = [];
  const log = createLogger({ name: "test", write: (line) => void lines.push(line) });
  const stream = await NatsKvEvents.open(url);
  const seen = await NatsKvEvents.open(gatewayUrl);
  const worker = await TestWorker.start(64);
  const publisher = new NatsKvEventPublisher(worker.events, stream, log);
  const gateway = new TestFollower(seen, publisher.subject, worker.client);
  return {
    worker,
    publisher,
    gateway,
    /** The stream as the gateway sees it. */
    seen,
    lost: () => lines.filter((line) => line.includes("KV events do not reach NATS")),
    back: () => lines.filter((line) => line.includes("KV events reach NATS again")),
    async [Symbol.asyncDispose]() {
      gateway[Symbol.dispose]();
      await publisher.close();
      for (const each of [stream, seen]) each.close();
      await worker[Symbol.asyncDispose]();
    },
  };
}
