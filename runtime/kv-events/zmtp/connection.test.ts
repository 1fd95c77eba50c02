import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ZmtpConnection } from "./connection.ts";
import { greeting, message, readyCommand } from "./framing.ts";
import { ZmtpSubscription } from "./subscription.ts";

let server: Server;
let port: number;
let onSocket: (socket: Socket) => void;
const sockets = new Set<Socket>();
let subscription: ZmtpSubscription | undefined;

beforeEach(async () => {
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    onSocket(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  port = (server.address() as AddressInfo).port;
});

afterEach(() => {
  subscription?.close();
  for (const socket of sockets) socket.destroy();
  server.close();
});

const greet = (socket: Socket) => socket.write(Buffer.concat([greeting(), readyCommand("PUB")]));

/** Subscribes, and returns its events in order, up to a number. */
function tell(count: number): Promise<string[]> {
  const told: string[] = [];
  return new Promise((resolve) => {
    const add = (what: string) => {
      if (told.push(what) === count) resolve(told);
    };
    subscription = new ZmtpSubscription(`tcp://127.0.0.1:${port}`, "topic", {
      onConnected: () => add("connected"),
      onDisconnected: () => add("disconnected"),
      onMessage: (frames) => add(frames.join(",")),
    });
  });
}

describe("a subscription", () => {
  test("subscribes to its topic, and reconnects when the publisher comes back", async () => {
    let connections = 0;
    onSocket = (socket) => {
      const isFirst = ++connections === 1;
      let received = "";
      socket.on("data", (bytes) => {
        received += bytes.toString("latin1");
        if (!received.endsWith("\u0001topic")) return;
        received = "";
        if (isFirst) socket.end();
        else socket.write(message([Buffer.from("topic"), Buffer.from("hello")]));
      });
      greet(socket);
    };
    expect(await tell(4)).toEqual(["connected", "disconnected", "connected", "topic,hello"]);
  });

  test.each([
    ["something else listens there", "SSH-2.0-OpenSSH\r\n"],
    ["a socket of another kind is bound there", Buffer.concat([greeting(), readyCommand("ROUTER")])],
  ])("tries again where %s", async (_what, bytes) => {
    let connections = 0;
    onSocket = (socket) => {
      if (++connections === 1) socket.write(bytes);
      else greet(socket);
    };
    expect(await tell(1)).toEqual(["connected"]);
    expect(connections).toBe(2);
  });

  test("refuses an invalid address", () => {
    expect(
      () => new ZmtpSubscription("http://x", "", { onConnected() {}, onDisconnected() {}, onMessage() {} }),
    ).toThrow(RangeError);
  });
});

describe("a connection", () => {
  const opening = Buffer.concat([greeting(), readyCommand("SUB")]);

  test.each([
    ["nothing", Buffer.alloc(0)],
    ["half a greeting", greeting().subarray(0, 20)],
    ["a greeting without READY", greeting()],
    ["half of READY", opening.subarray(0, -1)],
  ])("ends when the other side says %s for too long", async (_what, bytes) => {
    const reason = Promise.withResolvers<Error | undefined>();
    onSocket = (socket) => {
      const handlers = { onReady: () => reason.resolve(undefined), onMessage() {}, onClose: reason.resolve };
      new ZmtpConnection(socket, "PUB", handlers, { mostBytes: 1_000, handshakeMs: 20 });
    };
    const client = connect(port, "127.0.0.1").on("error", () => {});
    sockets.add(client);
    client.write(bytes);
    expect(await reason.promise).toEqual(new Error("The peer does not answer."));
  });
});
