import * as zmq from "zeromq";
import { KvEventError } from "../codec.ts";
import { decodeSequence, emptyFrame, encodeSequence, endMarker } from "./frames.ts";
import { ZmqKvEventPublisher, type ZmqPublisherOptions } from "./publisher.ts";
import { ZmqKvEventSubscriber } from "./subscriber.ts";
import type { ZmqSubscriberOptions } from "./subscription.ts";

export const anyPort = "tcp://127.0.0.1:0";
export const text = (payload: Uint8Array) => new TextDecoder().decode(payload);
export const bytes = (payload: string) => new TextEncoder().encode(payload);

const open: { close(): void }[] = [];

/** Closes everything that was opened; call it after each test. */
export function closeAll(): void {
  for (const socket of open.splice(0)) socket.close();
}

export function keep<Socket extends { close(): void }>(socket: Socket): Socket {
  open.push(socket);
  return socket;
}

/** A log of events in order, with waiters. */
export class Log {
  readonly entries: string[] = [];
  readonly #waiting: { entry: string; resolve(): void }[] = [];

  add(entry: string): void {
    this.entries.push(entry);
    for (const { resolve } of this.#waiting.filter((one) => one.entry === entry)) resolve();
  }

  /** Resolves when `entry` is in the log. */
  until(entry: string): Promise<void> {
    if (this.entries.includes(entry)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ entry, resolve }));
  }
}

export const publish = async (options: Partial<ZmqPublisherOptions> = {}) =>
  keep(await ZmqKvEventPublisher.open({ endpoint: anyPort, replayEndpoint: anyPort, ...options }));

/** Follows a publisher; logs "forget" and the received batches, in order. */
export function follow(
  { endpoint, replayEndpoint }: { endpoint: string; replayEndpoint?: string | undefined },
  options: Partial<ZmqSubscriberOptions> = {},
) {
  const log = new Log();
  const subscriber = keep(
    new ZmqKvEventSubscriber({
      endpoint,
      replayEndpoint,
      onPayload(payload, sequence) {
        log.add(`${sequence}:${text(payload)}`);
        if (text(payload) === "garbage") throw new KvEventError("it is garbage");
      },
      onForget: () => log.add("forget"),
      ...options,
    }),
  );
  return { log: log.entries, subscriber, until: (entry: string) => log.until(entry) };
}

/** Publishes one batch and waits until a follower has it. */
export async function reach(
  publisher: ZmqKvEventPublisher,
  until: (entry: string) => Promise<void>,
  name: string,
): Promise<void> {
  const sequence = publisher.published;
  publisher.publish(bytes(name));
  await until(`${sequence}:${name}`);
}

/** Replaces a publisher by a new one at the same endpoint. */
export async function restart(publisher: ZmqKvEventPublisher): Promise<ZmqKvEventPublisher> {
  const { endpoint, replayEndpoint } = publisher;
  publisher.close();
  return publish({ endpoint, replayEndpoint });
}

/** A scripted publisher with ZeroMQ's own sockets. */
export async function scripted() {
  // Unlike a Publisher, it reports subscriptions.
  const live = keep(new zmq.XPublisher({ linger: 0, verbosity: "allSubs" }));
  const router = keep(new zmq.Router({ linger: 0 }));
  await live.bind(anyPort);
  await router.bind(anyPort);
  const state = {
    endpoint: live.lastEndpoint!,
    replayEndpoint: router.lastEndpoint!,
    /** The batches to replay, by number. */
    past: new Map<number, string>(),
    /** The requested numbers. */
    asked: [] as number[],
    answers: true,
    /** Resolves at the next subscription. */
    subscribed: () => live.receive(),
    send: (sequence: number, payload: string) =>
      live.send([emptyFrame, encodeSequence(sequence), bytes(payload)]),
    sendFrames: (frames: Uint8Array[]) => live.send(frames),
  };
  const serve = async () => {
    for await (const [client, , start] of router) {
      const from = decodeSequence(start)!;
      state.asked.push(from);
      if (!state.answers) continue;
      for (const [sequence, payload] of state.past)
        if (sequence >= from)
          await router.send([client!, emptyFrame, encodeSequence(sequence), bytes(payload)]);
      await router.send([client!, emptyFrame, endMarker, emptyFrame]);
    }
  };
  void serve();
  return state;
}
