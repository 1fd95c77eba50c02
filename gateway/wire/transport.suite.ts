import { once } from "node:events";
import { createServer, request as httpRequest, type IncomingMessage, type Server } from "node:http";
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from "node:net";
import { gzipSync } from "node:zlib";
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { unframed } from "./chunk-tracker.ts";
import type {
  HttpCall,
  HttpError,
  HttpHead,
  HttpReceiver,
  HttpTimeouts,
  HttpTransport,
  WireReply,
} from "./types.ts";

// Far longer than a busy machine needs; tests of timeouts have their own.
const TIMEOUTS: HttpTimeouts = { connectMs: 60_000, firstByteMs: 60_000, idleMs: 60_000 };

/** How transports may differ. */
export interface TransportTraits {
  /** Whether it writes and reads HTTP itself, so that the bytes on the socket are known exactly. */
  readonly isOwnHttp: boolean;
}

/** The common suite of all transports, over real sockets. */
export function transportSuite(create: () => HttpTransport, { isOwnHttp }: TransportTraits): void {
  let transport: HttpTransport;
  let server: TcpServer;
  let origin: string;
  /** Answers the text of each request on a connection. */
  let answer: (socket: Socket, request: string) => void;
  let connections = 0;
  const sockets = new Set<Socket>();

  beforeEach(async () => {
    transport = create();
    connections = 0;
    server = createTcpServer((socket) => {
      connections++;
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      socket.on("error", () => {});
      socket.on("data", (data) => answer(socket, data.toString("latin1")));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterEach(async () => {
    transport.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  interface Outcome {
    head: HttpHead | undefined;
    /** The received bytes, and the body without framing. */
    wire: string;
    body: string;
    pieces: { text: string; isFramed: boolean }[];
    error: HttpError | undefined;
  }

  /** Sends a request and collects the answer. */
  function ask(
    options: {
      mayReuse?: boolean;
      body?: string;
      method?: string;
      timeouts?: Partial<HttpTimeouts>;
      onCall?: (call: HttpCall) => void;
      onBytes?: (wire: string) => void;
    } = {},
  ): Promise<Outcome> {
    const outcome: Outcome = { head: undefined, wire: "", body: "", pieces: [], error: undefined };
    return new Promise((resolve) => {
      const take = (wire: Uint8Array, isFramed: boolean) => {
        const text = Buffer.from(wire).toString("latin1");
        outcome.wire += text;
        outcome.body += Buffer.from(isFramed ? unframed(wire) : wire).toString("latin1");
        if (text !== "") outcome.pieces.push({ text, isFramed });
        return text;
      };
      const receiver: HttpReceiver = {
        onHead(head) {
          outcome.head = head;
        },
        onBytes(wire, isFramed) {
          const text = take(wire, isFramed);
          options.onBytes?.(text);
          return false;
        },
        onEnd(wire, isFramed) {
          take(wire, isFramed);
          resolve(outcome);
          return false;
        },
        onError(error) {
          resolve({ ...outcome, error });
        },
      };
      const request = {
        origin,
        method: options.method ?? "POST",
        path: "/v1/x?y=1",
        headers: [["content-type", "application/json"]] as const,
        body: options.body === undefined ? undefined : Buffer.from(options.body),
        mayReuse: options.mayReuse ?? true,
      };
      const call = transport.call(request, receiver, { ...TIMEOUTS, ...options.timeouts });
      options.onCall?.(call);
    });
  }

  const CHUNKED = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
  const CLOSED = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
  const withLength = ({ length }: string) =>
    `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: ${length}\r\n\r\n`;
  const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;

  describe("a request to an engine", () => {
    test.runIf(isOwnHttp)("is sent completely, with its headers and its body's length", async () => {
      let seen = "";
      answer = (socket, request) => {
        seen = request;
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
      };
      const { head, wire } = await ask({ body: '{"a":1}' });
      expect(seen).toBe(
        `POST /v1/x?y=1 HTTP/1.1\r\nhost: ${new URL(origin).host}\r\ncontent-type: application/json\r\ncontent-length: 7\r\n\r\n{"a":1}`,
      );
      expect(head).toMatchObject({ status: 200, contentLength: 2 });
      expect(wire).toBe("ok");
    });

    test("passes on only whole events, with the engine's framing if possible", async () => {
      const events = ["data: one\n\n", "data: two\n\n", "data: [DONE]\n\n"];
      const chunks = events.map(chunk).join("");
      const framed = `${chunks}0\r\n\r\n`;
      answer = (socket) => {
        socket.write(CHUNKED + framed.slice(0, 5));
        // Split inside an event and inside the framing.
        setImmediate(() => {
          socket.write(framed.slice(5, 20));
          setImmediate(() => socket.write(framed.slice(20)));
        });
      };
      const { wire, body, pieces } = await ask();
      if (isOwnHttp) expect(wire).toBe(chunks);
      for (const { text } of pieces) expect(text).toMatch(isOwnHttp ? /\n\n\r\n$/ : /\n\n$/);
      expect(body).toBe(events.join(""));
    });

    test("passes on whole events of a stream whose reads never end at an event boundary", async () => {
      const event = `data: ${JSON.stringify({ id: "1", text: "x".repeat(71) })}\n\n`;
      const count = 40_000;
      const framed = Buffer.from(`${chunk(event).repeat(count)}0\r\n\r\n`);
      answer = (socket) => {
        socket.write(CHUNKED);
        socket.write(framed);
      };
      const { body, pieces } = await ask();
      expect(pieces.length).toBeGreaterThan(1);
      const isCut = ({ text }: { text: string }) => !text.endsWith(isOwnHttp ? "\n\n\r\n" : "\n\n");
      expect(pieces.filter(isCut)).toEqual([]);
      expect(body).toBe(event.repeat(count));
    });

    const EVENTS = [
      "data: {}\n\n",
      'event: a\r\ndata: {"b":\r\ndata: 1}\r\n\r\n',
      "\ufeffdata:\r\r",
      "id: 1\ndata\n\n",
    ].map((text) => Buffer.from(text).toString("latin1"));

    /** The offsets at which events, and comments between them, end. */
    const ends = (parts: readonly string[]) => {
      let length = 0;
      return new Set([0, ...parts.map((part) => (length += part.length))]);
    };

    test.each([
      ["in chunks", (text: string, cut: number) => [CHUNKED, text.slice(0, cut), text.slice(cut)]],
      [
        "of a known length",
        (text: string, cut: number) => [withLength(text), text.slice(0, cut), text.slice(cut)],
      ],
      [
        "until its connection ends",
        (text: string, cut: number) => [CLOSED, text.slice(0, cut), text.slice(cut)],
      ],
    ])("passes on whole events and comments of a stream %s, however it is split", async (how, pieces) => {
      const parts = [": hello\n", EVENTS[0]!, ": one\r", ": two\r\n", EVENTS[1]!, "\n", EVENTS[3]!];
      const text = parts.join("");
      const isChunked = how === "in chunks";
      for (let cut = 1; cut < text.length; cut++) {
        answer = (socket) => {
          const [head, ...rest] = pieces(text, cut);
          socket.write(head!);
          setImmediate(() => {
            socket.write(isChunked ? chunk(rest[0]!) : rest[0]!);
            setImmediate(() => socket.end(isChunked ? `${chunk(rest[1]!)}0\r\n\r\n` : rest[1]!));
          });
        };
        const outcome = await ask({ mayReuse: false });
        expect(outcome.error).toBeUndefined();
        expect(outcome.body).toBe(text);
        let at = 0;
        for (const piece of outcome.pieces) {
          at += piece.text.length;
          // A line may have ended with the CR before an LF.
          const isEnd =
            ends(parts).has(at) || (text[at - 1] === "\r" && text[at] === "\n" && ends(parts).has(at + 1));
          expect({ cut, at, isEnd: isEnd || piece.isFramed }).toEqual({ cut, at, isEnd: true });
        }
      }
    });

    test.each([
      ["an event in two chunks", [chunk("data: o"), chunk("ne\n\n")]],
      ["several events in a chunk, ending in another", [chunk("data: one\n\ndata: two\n"), chunk("\n")]],
      ["chunks with extensions", [chunk("data: one\n\n").replace("\r\n", ";x=y\r\n")]],
      ["an event without an end", [chunk("data: [DONE]")]],
    ])("strips the framing from %s", async (_what, chunks) => {
      answer = (socket) =>
        socket.write(`${CHUNKED}${chunk("data: zero\n\n")}${chunks.join("")}0\r\nx-trailer: 1\r\n\r\n`);
      const { body, pieces, error } = await ask();
      expect(error).toBeUndefined();
      expect(body).toBe(
        `data: zero\n\n${unframed(Buffer.from(chunks.join(""))).reduce((all, byte) => all + String.fromCharCode(byte), "")}`,
      );
      expect(pieces.at(-1)?.isFramed).toBe(false);
    });

    test("passes on complete events and comments at once", async () => {
      const parts = [": ping\n", "data: one\n\n", ":\n", "data: two\n\nda"];
      const seen: string[] = [];
      let more: () => void;
      answer = (socket) => {
        socket.write(CHUNKED);
        more = () => {
          const part = parts.shift();
          if (part === undefined) socket.write(`${chunk("ta: three\n\n")}0\r\n\r\n`);
          else socket.write(chunk(part));
        };
        more();
      };
      const { body } = await ask({
        onBytes: (text) => {
          seen.push(text);
          more();
        },
      });
      expect(seen.length).toBe(isOwnHttp ? 4 : seen.length);
      expect(body).toBe(": ping\ndata: one\n\n:\ndata: two\n\ndata: three\n\n");
    });

    test("passes on a compressed stream as it arrives", async () => {
      const zipped = gzipSync("data: one\n\ndata: two\n\n");
      answer = (socket) => {
        socket.write(CHUNKED.replace("\r\n\r\n", "\r\ncontent-encoding: gzip\r\n\r\n"));
        socket.write(
          Buffer.concat([
            Buffer.from(`${zipped.length.toString(16)}\r\n`),
            zipped,
            Buffer.from("\r\n0\r\n\r\n"),
          ]),
        );
      };
      const { head, body } = await ask();
      expect(head?.isEncoded).toBe(isOwnHttp);
      if (isOwnHttp) expect(Buffer.from(body, "latin1").equals(zipped)).toBe(true);
      else expect(body).toBe("data: one\n\ndata: two\n\n");
    });

    test.runIf(isOwnHttp).each([
      ["spaces before a colon, and a folded line", "Content-Length : 2\r\nx: a\r\n\t b\r\n\r\nok", "ok"],
      ["the same length twice", "content-length: 2, 2\r\n\r\nok", "ok"],
      ["bare LF line breaks", "content-length: 6\n\nok\r\n\r\n".replaceAll("@", ""), "ok\r\n\r\n"],
      [
        "chunks despite a content-length",
        "content-length: 9\r\ntransfer-encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "ok",
      ],
    ])("accepts a head with %s", async (_what, rest, expected) => {
      answer = (socket) =>
        socket.write(`HTTP/1.1 200 OK${rest.startsWith("content-length: 6\n") ? "\n" : "\r\n"}${rest}`);
      const { body, error } = await ask();
      expect(error).toBeUndefined();
      expect(body).toBe(expected);
    });

    test("accepts an event of several megabytes in many small pieces", async () => {
      const event = `data: ${"x".repeat(6 * 1024 * 1024)}\n\n`;
      answer = (socket) => {
        let all = "";
        for (let at = 0; at < event.length; at += 4096) all += chunk(event.slice(at, at + 4096));
        socket.write(CHUNKED);
        socket.write(`${all}0\r\n\r\n`);
      };
      expect((await ask()).body).toBe(event);
    });

    test("reads a body that ends when the connection closes", async () => {
      answer = (socket) => socket.end("HTTP/1.1 200 OK\r\n\r\nuntil the end");
      expect((await ask()).wire).toBe("until the end");
    });

    test.runIf(isOwnHttp)("skips interim responses, and drops hop-by-hop headers", async () => {
      answer = (socket) => {
        socket.write(
          "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 204 No Content\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\nX-Stays: 2\r\n\r\n",
        );
      };
      const { head } = await ask();
      expect(head).toMatchObject({ status: 204, headers: [["x-stays", "2"]], hasBody: false });
    });

    test.runIf(isOwnHttp)("reuses a connection, unless it must not", async () => {
      answer = (socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
      await ask();
      await ask();
      expect(connections).toBe(1);
      await ask({ mayReuse: false });
      expect(connections).toBe(2);
    });

    test.runIf(isOwnHttp)(
      "is resent over a new connection if a kept-alive one closes without an answer",
      async () => {
        const ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        const served = new Map<Socket, number>();
        answer = (socket) => {
          const count = (served.get(socket) ?? 0) + 1;
          served.set(socket, count);
          if (count === 1) socket.write(ok);
          else socket.destroy();
        };
        // Several connections are kept alive, and each is closed by its second request.
        await Promise.all(Array.from({ length: 4 }, () => ask()));
        for (let index = 0; index < 8; index++)
          expect(await ask()).toMatchObject({ error: undefined, body: "ok" });
      },
    );

    test.runIf(isOwnHttp)("is lost if its server goes down, even though it was resent", async () => {
      answer = (socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
      await ask();
      answer = (socket) => {
        server.close();
        socket.destroy();
      };
      expect((await ask()).error).toMatchObject({ code: "lost" });
    });

    test.runIf(isOwnHttp)("is sent once over a new connection", async () => {
      let asked = 0;
      answer = (socket) => {
        asked++;
        socket.destroy();
      };
      expect((await ask()).error).toMatchObject({ code: "lost" });
      expect(asked).toBe(1);
    });

    test.runIf(isOwnHttp)(
      "does not reuse a connection that the server closes, or that has unsolicited bytes",
      async () => {
        answer = (socket) =>
          socket.write("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        await ask();
        answer = (socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\naHTTP/1.1 200 OK");
        await ask();
        await ask();
        expect(connections).toBe(3);
      },
    );

    test("is cancelled by closing its connection", async () => {
      const closed = new Promise<void>((resolve) => {
        answer = (socket) => {
          socket.on("close", () => resolve());
          socket.write(CHUNKED + chunk("data: 1\n\n"));
        };
      });
      let call: HttpCall | undefined;
      void ask({
        onCall: (each) => {
          call = each;
        },
        onBytes: () => call?.cancel(),
      });
      await closed;
    });

    test("receives a body of many megabytes completely, with pauses", async () => {
      const size = 8 * 1024 * 1024;
      answer = (socket) => {
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`);
        socket.write(Buffer.alloc(size, 97));
      };
      let call: HttpCall | undefined;
      const { wire } = await ask({
        onCall: (each) => {
          call = each;
        },
        onBytes: () => {
          call?.pause();
          setImmediate(() => call?.resume());
        },
      });
      expect(wire.length).toBe(size);
    });
  });

  describe("failures", () => {
    test("nothing listens: unsent", async () => {
      server.close();
      await once(server, "close");
      expect((await ask()).error).toMatchObject({ code: "unsent" });
    });

    test.each([
      ["before the head", ""],
      ["in the head", "HTTP/1.1 200 OK\r\ncontent-le"],
      ["in a chunk", `${CHUNKED}20\r\nabc`],
      ["between chunks", CHUNKED + chunk("data: 1\n\n")],
      ["in a body of a known length", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"],
    ])("the connection closes %s: lost", async (_where, text) => {
      answer = (socket) => socket.end(text);
      expect((await ask()).error).toMatchObject({ code: "lost" });
    });

    test("the connection is reset: lost", async () => {
      answer = (socket) => socket.resetAndDestroy();
      expect((await ask()).error).toMatchObject({ code: "lost" });
    });

    test.each([
      ["not HTTP at all", "SSH-2.0-OpenSSH_9.2\r\n"],
      ["another version", "HTTP/2 200\r\n\r\n"],
      ["an endless head", `HTTP/1.1 200 OK\r\nx: ${"y".repeat(70_000)}`],
      ["an invalid header line", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n"],
      ["two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n"],
      ["another transfer coding", "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n"],
      ["invalid chunks", `${CHUNKED}hello`],
      ["another protocol", "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n"],
    ])("%s: garbage", async (_what, text) => {
      answer = (socket) => socket.write(text);
      const { error } = await ask({ timeouts: { firstByteMs: 1_000 } });
      if (isOwnHttp) expect(error).toMatchObject({ code: "garbage" });
      else expect(error?.code).toMatch(/^(garbage|lost|timeout)$/);
    });

    test("no byte of an answer in time", async () => {
      answer = () => {};
      const { error } = await ask({ timeouts: { firstByteMs: 30 } });
      expect(error).toMatchObject({ code: "timeout" });
    });

    test("no further byte in time", async () => {
      answer = (socket) => socket.write(CHUNKED + chunk("data: 1\n\n"));
      const { error, body } = await ask({ timeouts: { idleMs: 40 } });
      expect(error).toMatchObject({ code: "timeout" });
      expect(body).toBe("data: 1\n\n");
    });
  });

  describe("an answer to a client", () => {
    let front: Server;
    let port: number;

    beforeEach(async () => {
      const app = new Hono();
      app.all("*", (context) => {
        return new Promise<Response>((resolve, reject) => {
          let reply: WireReply | undefined;
          const receiver: HttpReceiver = {
            onHead(head) {
              reply = transport.reply(context, head, [["x-request-id", "r1"]]);
              reply.onWritable = () => call.resume();
              reply.onAbort = () => call.cancel();
              resolve(reply.response);
            },
            onBytes(wire, isFramed) {
              if (!reply!.write(wire, isFramed)) call.pause();
              return reply!.isHolding;
            },
            onEnd(wire, isFramed) {
              reply!.finish(wire, isFramed);
              return reply!.isHolding;
            },
            onError: (error) => (reply === undefined ? reject(error) : reply.destroy()),
          };
          const request = {
            origin,
            method: context.req.method,
            path: "/",
            headers: [],
            body: undefined,
            mayReuse: true,
          };
          const call = transport.call(request, receiver, TIMEOUTS);
        });
      });
      front = createServer(getRequestListener(app.fetch, { overrideGlobalObjects: false }));
      front.listen(0, "127.0.0.1");
      await once(front, "listening");
      port = (front.address() as AddressInfo).port;
    });

    afterEach(() => {
      front.closeAllConnections();
      front.close();
    });

    async function get(method = "GET"): Promise<{ response: IncomingMessage; body: string }> {
      const sent = httpRequest({ port, host: "127.0.0.1", method });
      sent.end();
      const [response] = (await once(sent, "response")) as [IncomingMessage];
      let body = "";
      for await (const part of response) body += part;
      return { response, body };
    }

    /** The bytes received on a raw connection until the server closes it, or `isWhole` accepts them. */
    async function raw(text: string, isWhole: (all: string) => boolean = () => false): Promise<string> {
      const { connect } = await import("node:net");
      const socket = connect(port, "127.0.0.1");
      socket.write(text);
      let all = "";
      for await (const part of socket) {
        all += part.toString("latin1");
        if (isWhole(all)) break;
      }
      return all;
    }

    test("has the engine's status, headers and body, and the gateway's headers", async () => {
      answer = (socket) =>
        socket.write(
          "HTTP/1.1 201 Created\r\nX-Request-Id: theirs\r\nset-cookie: a\r\nset-cookie: b\r\ncontent-length: 4\r\n\r\nbody",
        );
      const { response, body } = await get();
      expect(response.statusCode).toBe(201);
      expect(response.headers).toMatchObject({
        "x-request-id": "r1",
        "set-cookie": ["a", "b"],
        "content-length": "4",
      });
      expect(body).toBe("body");
    });

    test.runIf(isOwnHttp)("has the engine's chunks unchanged, and its connection stays open", async () => {
      const framed = `${chunk("data: one\n\n")}${chunk("data: two\n\n")}0\r\n\r\n`;
      answer = (socket) => {
        socket.write(CHUNKED + framed.slice(0, 16));
        setImmediate(() => socket.write(framed.slice(16)));
      };
      const request = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
      const all = await raw(request + request, (text) => text.split("0\r\n\r\n").length === 3);
      expect(all.split("\r\n\r\n").slice(1).join("\r\n\r\n")).toContain(framed.trimEnd());
      expect(all.split(framed).length).toBe(3);
    });

    test("has no chunks for an HTTP/1.0 client", async () => {
      answer = (socket) => socket.write(`${CHUNKED}${chunk("data: one\n\n")}0\r\n\r\n`);
      const all = await raw("GET / HTTP/1.0\r\nhost: x\r\n\r\n");
      expect(all).toMatch(/\r\n\r\ndata: one\n\n$/);
      expect(all).not.toContain("transfer-encoding");
    });

    test("is chunked if the engine's body ended when its connection closed", async () => {
      answer = (socket) => socket.end("HTTP/1.1 200 OK\r\n\r\nuntil the end");
      const { response, body } = await get();
      if (isOwnHttp) expect(response.headers["transfer-encoding"]).toBe("chunked");
      expect(body).toBe("until the end");
    });

    test("has no body if the engine's has none", async () => {
      answer = (socket) => socket.write("HTTP/1.1 204 No Content\r\n\r\n");
      const { response, body } = await get();
      expect(response.statusCode).toBe(204);
      expect(response.headers["transfer-encoding"]).toBeUndefined();
      expect(body).toBe("");
      answer = (socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n");
      expect((await get("HEAD")).response.headers["content-length"]).toBe("7");
    });

    test("arrives completely if the client reads slowly", async () => {
      const size = 32 * 1024 * 1024;
      answer = (socket) => {
        socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        let left = size;
        const more = () => {
          while (left > 0) {
            left -= 65_536;
            const fill = (left / 65_536) % 26;
            const isRoom = socket.write(
              Buffer.concat([Buffer.from("10000\r\n"), Buffer.alloc(65_536, 97 + fill), Buffer.from("\r\n")]),
            );
            if (!isRoom) return void socket.once("drain", more);
          }
          socket.write("0\r\n\r\n");
        };
        more();
      };
      const sent = httpRequest({ port, host: "127.0.0.1" });
      sent.end();
      const [response] = (await once(sent, "response")) as [IncomingMessage];
      let at = size;
      let wrong = 0;
      let offset = 0;
      for await (const part of response as AsyncIterable<Buffer>) {
        for (const byte of part) {
          if (offset++ % 65_536 === 0) at -= 65_536;
          if (byte !== 97 + ((at / 65_536) % 26)) wrong++;
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(offset).toBe(size);
      expect(wrong).toBe(0);
    });

    test("is cancelled at the engine if the client disconnects", async () => {
      const closed = new Promise<void>((resolve) => {
        answer = (socket) => {
          socket.on("close", () => resolve());
          socket.write(CHUNKED + chunk("data: 1\n\n"));
        };
      });
      const sent = httpRequest({ port, host: "127.0.0.1" });
      sent.on("error", () => {});
      sent.end();
      await once(sent, "response");
      sent.destroy();
      await closed;
    });
  });
}
