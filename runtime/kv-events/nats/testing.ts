/** For tests: what a stream holds. */
import { jetstreamManager } from "@nats-io/jetstream";
import { messageKind } from "../wire.ts";
import { snapshotSubject } from "./names.ts";
import type { NatsKvEvents } from "./stream.ts";

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
