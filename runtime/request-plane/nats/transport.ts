import type { NatsConnection } from "@nats-io/transport-node";
import { randomId } from "../../ids.ts";
import { messageOf } from "../../message-of.ts";
import { type SharedNats, shareNats } from "../../nats/shared.ts";
import { type Address, formatAddress } from "../address.ts";
import type { Listener, Pipe, Transport } from "../pipe.ts";
import { PlaneError } from "../types.ts";
import { NatsPipe } from "./pipe.ts";

type NatsAddress = Extract<Address, { kind: "nats" }>;

const CONNECT_MS = 5_000;
const PREFIX = "stator.plane";

/** Pipes over NATS, for networks in which workers are not directly reachable. */
export const natsTransport: Transport<NatsAddress> = {
  async listen({ subject: wanted }, onPipe, { nats, onError = () => {} }): Promise<Listener> {
    const subject = wanted || `${PREFIX}.${randomId()}`;
    const address = formatAddress({ kind: "nats", subject });
    const shared = await openShared(address, nats);
    const { connection } = shared;
    const pipes = followPipes(connection);
    if (wanted !== "" && (await isServed(connection, subject))) {
      shared.release();
      throw new PlaneError("invalid_request", `Cannot listen at ${address}: it is in use by another server.`);
    }
    let isListening = true;
    // Open pipes keep using the connection after the listener is closed.
    const releaseIfIdle = () => {
      if (!isListening && pipes.size === 0) shared.release();
    };
    const subscription = connection.subscribe(openSubject(subject), {
      callback(error, message) {
        if (error !== null) return onError(error);
        const own = `${subject}.${randomId()}`;
        const pipe = newPipe(connection, message.string(), pipes, releaseIfIdle);
        pipe.listen(own);
        onPipe(pipe);
        message.respond(own);
      },
    });
    const presence = connection.subscribe(servedSubject(subject), {
      callback: (_error, message) => void message.respond(),
    });
    return {
      address,
      async close() {
        isListening = false;
        subscription.unsubscribe();
        presence.unsubscribe();
        releaseIfIdle();
      },
    };
  },

  async connect({ subject }, signal, { nats }): Promise<Pipe> {
    const address = formatAddress({ kind: "nats", subject });
    const shared = await openShared(address, nats);
    const { connection } = shared;
    // The inbox must exist before the server can send to it, and the server's subject is known only afterwards.
    const { createInbox } = await import("@nats-io/transport-node");
    const inbox = createInbox();
    const early: Uint8Array[] = [];
    let pipe: NatsPipe | undefined;
    const subscription = connection.subscribe(inbox, {
      callback(error, { data }) {
        if (error !== null) return;
        if (pipe === undefined) early.push(data);
        else pipe.onMessage(data);
      },
    });
    const release = () => {
      subscription.unsubscribe();
      shared.release();
    };
    try {
      const answer = await withSignal(
        connection.request(openSubject(subject), inbox, { timeout: CONNECT_MS }),
        signal,
      );
      pipe = newPipe(connection, answer.string(), followPipes(connection), release);
      for (const data of early) pipe.onMessage(data);
      return pipe;
    } catch (cause) {
      release();
      signal.throwIfAborted();
      const why = /no responders/i.test(String(cause)) ? "nothing listens there" : (cause as Error).message;
      throw new PlaneError("connection_lost", `Cannot reach ${address}: ${why}.`, { cause });
    }
  },
};

const isServed = (connection: NatsConnection, subject: string): Promise<boolean> =>
  connection.request(servedSubject(subject), "", { timeout: SERVED_MS }).then(
    () => true,
    () => false,
  );

/** Timeout for another server on the subject to answer, in milliseconds. If there is none, NATS reports it at once. */
const SERVED_MS = 1_000;
const servedSubject = (subject: string) => `${subject}.served`;
const openSubject = (subject: string) => `${subject}.open`;

async function openShared(address: string, url: string | undefined): Promise<SharedNats> {
  if (url === undefined)
    throw new PlaneError("invalid_request", `${address} needs the URL of a NATS server.`);
  try {
    return await shareNats(url, CONNECT_MS);
  } catch (cause) {
    const reason = messageOf(cause);
    throw new PlaneError("connection_lost", `NATS cannot be reached for ${address}: ${reason}.`, { cause });
  }
}

/** The open pipes of each connection, which are notified when it is back after an outage. */
const pipesOf = new WeakMap<NatsConnection, Set<NatsPipe>>();

function followPipes(connection: NatsConnection): Set<NatsPipe> {
  const known = pipesOf.get(connection);
  if (known !== undefined) return known;
  const pipes = new Set<NatsPipe>();
  pipesOf.set(connection, pipes);
  void (async () => {
    for await (const { type } of connection.status())
      if (type === "reconnect") for (const pipe of pipes) pipe.onReconnected();
  })();
  return pipes;
}

function newPipe(
  connection: NatsConnection,
  subject: string,
  pipes: Set<NatsPipe>,
  onClosed: () => void,
): NatsPipe {
  const pipe = new NatsPipe({
    connection,
    subject,
    onClosed() {
      pipes.delete(pipe);
      onClosed();
    },
  });
  pipes.add(pipe);
  return pipe;
}

function withSignal<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  signal.throwIfAborted();
  const aborted = new Promise<never>((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  return Promise.race([promise, aborted]);
}
