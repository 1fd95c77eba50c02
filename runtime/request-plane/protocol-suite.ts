import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeCallHead } from "./call-frame.ts";
import { frameType, headBytes, putUint32 } from "./frame.ts";
import { FrameParser } from "./frame-parser.ts";
import { decodeError, encodeHello, protocolVersion } from "./handshake.ts";
import type { Pipe } from "./pipe.ts";
import { bytes, type PlaneContext, record, text, useBench } from "./testing.ts";
import { connectPipe, listenPipes } from "./transport.ts";
import type { Handler, PlaneError } from "./types.ts";

const small = { maxMessageBytes: 9, pingMs: 0 };

/** The suite for every transport on peers that break the protocol. */
export function protocolSuite(name: string, newAddress: () => string, context: PlaneContext = {}): void {
  const bench = useBench(newAddress, context);
  const openPipe = (address: string) => connectPipe(address, new AbortController().signal, context.connect);
  const listen = (onPipe: (pipe: Pipe) => void) => listenPipes(newAddress(), onPipe, context.serve);
  const echo: Handler = (payload, call) => {
    call.send(payload);
    call.end();
  };

  describe(`request plane over ${name}: peers that break the protocol`, () => {
    const hello = frame(frameType.hello, 0, encodeHello({ maxMessageBytes: 1_000_000, pingMs: 0 }));
    const broken: [string, Uint8Array, RegExp][] = [
      ["another protocol", bytes("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), /frame of \d+ bytes/],
      ["no hello", frame(frameType.cancel, 1), /did not begin with hello/],
      ["a hello without the magic", frame(frameType.hello, 0, new Uint8Array(10)), /does not speak/],
      ["a newer version", frame(frameType.hello, 0, encodeHello(small, protocolVersion + 1)), /version 2/],
      ["a frame over the limit", join(hello, frame(frameType.call, 1, new Uint8Array(20_000))), /at most/],
      ["an unknown type", join(hello, frame(99, 1)), /type 99/],
      ["a message from a client", join(hello, frame(frameType.message, 1)), /type 5/],
      ["a short call", join(hello, frame(frameType.call, 1, new Uint8Array(3))), /call frame/],
      ["a call on stream 0", join(hello, call(0, "echo")), /Stream 0/],
      ["a malformed credit", join(hello, frame(frameType.credit, 1, new Uint8Array(3))), /type 4/],
    ];

    test.each(broken)("%s gets an error and is disconnected", async (_, sent, sentence) => {
      const seen: Error[] = [];
      const server = await bench.serve(
        { echo },
        { maxMessageBytes: 10_000, onError: (error) => seen.push(error) },
      );
      const good = await bench.connect(server.address);
      const { error, closed } = await talk(await openPipe(server.address), sent);
      await closed;
      expect((await error)?.message).toMatch(sentence);
      expect(seen).toHaveLength(1);
      expect(await record(good, "echo", bytes("still here")).outcome).toBeUndefined();
    });

    test("random bytes never crash the server", async () => {
      const server = await bench.serve({ echo });
      await fc.assert(
        fc.asyncProperty(
          fc.boolean(),
          fc.uint8Array({ minLength: 9, maxLength: 200 }),
          async (greet, noise) => {
            const pipe = await openPipe(server.address);
            pipe.start({ onData: () => {}, onClose: () => {} });
            await write(pipe, greet ? join(hello, noise) : noise);
            pipe.destroy();
          },
        ),
        { numRuns: 30 },
      );
      const good = await bench.connect(server.address);
      expect(await record(good, "echo", bytes("still here")).outcome).toBeUndefined();
    });

    test("calls are parsed correctly however their bytes are split", async () => {
      const server = await bench.serve({ echo });
      const requests = ["", "a", "bc".repeat(300)];
      const stream = join(hello, ...requests.map((request, n) => call(n + 1, "echo", bytes(request))));
      await fc.assert(
        fc.asyncProperty(fc.array(fc.nat(stream.length), { maxLength: 8 }), async (cuts) => {
          const pipe = await openPipe(server.address);
          const answers: string[] = [];
          const ended = Promise.withResolvers<void>();
          const parser = new FrameParser(
            {
              onFrame(type, stream, payload) {
                if (type === frameType.message) answers[stream - 1] = text(payload);
                if (type === frameType.end && stream === requests.length) ended.resolve();
              },
            },
            1_000_000,
          );
          pipe.start({ onData: (chunk) => parser.push(chunk), onClose: () => {} });
          const bounds = [0, ...cuts.sort((a, b) => a - b), stream.length];
          for (let i = 1; i < bounds.length; i++) await write(pipe, stream.slice(bounds[i - 1], bounds[i]));
          await ended.promise;
          expect(answers).toEqual(requests);
          pipe.destroy();
        }),
        { numRuns: 30 },
      );
    });

    test("a server with another protocol or version fails `connect` with a clear message", async () => {
      const greetings: [Uint8Array, RegExp][] = [
        [bytes("HTTP/1.1 400 Bad Request\r\n\r\n"), /frame of \d+ bytes/],
        [frame(frameType.hello, 0, encodeHello(small, 7)), /version 7/],
        [frame(frameType.end, 1), /did not begin with hello/],
      ];
      for (const [greeting, sentence] of greetings) {
        const listener = await listen((pipe) => {
          pipe.start({ onData: () => {}, onClose: () => {} });
          pipe.write(greeting, () => {});
        });
        await expect(bench.connect(listener.address)).rejects.toThrow(sentence);
        await listener.close();
      }
    });

    test("a peer that sends no pings is never disconnected for its silence", async () => {
      const server = await bench.serve({ echo }, { pingMs: 2 });
      const pipe = await openPipe(server.address);
      const echoed = Promise.withResolvers<void>();
      const parser = new FrameParser(
        { onFrame: (type) => type === frameType.message && echoed.resolve() },
        1_000_000,
      );
      pipe.start({
        onData: (chunk) => parser.push(chunk),
        onClose: () => echoed.reject(new Error("closed")),
      });
      // As an older version greets, without the interval of its pings.
      await write(pipe, frame(frameType.hello, 0, encodeHello(small).subarray(0, 10)));
      await sleep(50);
      await write(pipe, call(1, "echo", bytes("")));
      await echoed.promise;
      pipe.destroy();
    });

    test("a server that drains says goodbye last, and only to a client that understands it", async () => {
      const server = await bench.serve({ echo });
      const talks = [true, false].map(async (knowsGoodbye) => {
        const pipe = await openPipe(server.address);
        const greeted = Promise.withResolvers<void>();
        const closed = Promise.withResolvers<void>();
        const types: number[] = [];
        const sink = {
          onFrame(type: number) {
            types.push(type);
            greeted.resolve();
          },
        };
        const parser = new FrameParser(sink, 1_000_000);
        pipe.start({ onData: (chunk) => parser.push(chunk), onClose: () => closed.resolve() });
        await write(pipe, frame(frameType.hello, 0, encodeHello({ ...small, knowsGoodbye })));
        await greeted.promise;
        return { types, closed: closed.promise };
      });
      const [knowing, older] = await Promise.all(talks);
      await server.drain(60_000);
      await Promise.all([knowing!.closed, older!.closed]);
      expect(knowing!.types).toEqual([frameType.hello, frameType.goodbye]);
      expect(older!.types).toEqual([frameType.hello]);
    });

    test("connecting to a silent server fails after the timeout", async () => {
      const silent = await listen((pipe) => {
        pipe.start({ onData: () => {}, onClose: () => {} });
      });
      const connecting = bench.connect(silent.address, { connectTimeoutMs: 20 });
      await expect(connecting).rejects.toMatchObject({ code: "deadline_exceeded" });
      await silent.close();
    });
  });
}

/** Sends bytes to a server. @returns the error that it answers with, and when it disconnects */
async function talk(pipe: Pipe, sent: Uint8Array) {
  const error = Promise.withResolvers<PlaneError | undefined>();
  const closed = Promise.withResolvers<void>();
  const sink = {
    onFrame(type: number, stream: number, payload: Uint8Array) {
      if (type === frameType.error && stream === 0) error.resolve(decodeError(payload));
    },
  };
  const parser = new FrameParser(sink, 1_000_000);
  pipe.start({
    onData: (chunk) => parser.push(chunk),
    onClose() {
      error.resolve(undefined);
      closed.resolve();
    },
  });
  pipe.write(sent, () => {});
  return { error: error.promise, closed: closed.promise };
}

function write(pipe: Pipe, sent: Uint8Array): Promise<void> {
  return new Promise((resolve) => pipe.write(sent, resolve));
}

function frame(type: number, stream: number, payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  const out = new Uint8Array(headBytes + payload.length);
  putUint32(out, 0, payload.length);
  out[4] = type;
  putUint32(out, 5, stream);
  out.set(payload, headBytes);
  return out;
}

function call(stream: number, endpoint: string, request: Uint8Array = new Uint8Array(0)): Uint8Array {
  const head = encodeCallHead({ endpoint, windowBytes: 100_000, deadlineMs: 0 });
  return frame(frameType.call, stream, join(head, request));
}

function join(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}
