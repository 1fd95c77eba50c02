import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
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

const greet = (socket: Socket) => socket.write(Buffer.concat([greeting(), readyCommand("SUB")]));

/** Subscribes; what it is told, in order, until it has been told so much. */
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
  test("asks for its topic, and connects again when the publisher comes back", async () => {
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

  test("tries again where something else listens there", async () => {
    let connections = 0;
    onSocket = (socket) => {
      if (++connections === 1) socket.write("SSH-2.0-OpenSSH\r\n");
      else greet(socket);
    };
    expect(await tell(1)).toEqual(["connected"]);
    expect(connections).toBe(2);
  });

  test("refuses an address that is none", () => {
    expect(
      () => new ZmtpSubscription("http://x", "", { onConnected() {}, onDisconnected() {}, onMessage() {} }),
    ).toThrow(RangeError);
  });
});
