import { describe, expect, test } from "vitest";
import { bytes, type PlaneContext, record, text, turns, useBench } from "./testing.ts";
import { PlaneError, type ServerCall } from "./types.ts";

/** The suite for every transport of the request plane. */
export function requestPlaneSuite(name: string, newAddress: () => string, context?: PlaneContext): void {
  const bench = useBench(newAddress, context);

  describe(`request plane over ${name}: calls`, () => {
    test("a message is echoed", async () => {
      const { client } = await bench.pair({
        echo(payload, call) {
          call.send(payload);
          call.end();
        },
      });
      const echo = record(client, "echo", bytes("hello"));
      expect(await echo.outcome).toBeUndefined();
      expect(echo.messages.map(text)).toEqual(["hello"]);
      expect(echo.ends).toBe(1);
    });

    test("many calls run concurrently, each in order, without mixing", async () => {
      const { client, server } = await bench.pair({
        async count(payload, call) {
          for (let i = 0; i < 200; i++) {
            if (i % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
            call.send(bytes(`${text(payload)}:${i}`));
          }
          call.end();
        },
      });
      const calls = Array.from({ length: 100 }, (_, n) => record(client, "count", bytes(`${n}`)));
      for (const [n, call] of calls.entries()) {
        expect(await call.outcome).toBeUndefined();
        expect(call.messages.map(text)).toEqual(Array.from({ length: 200 }, (_, i) => `${n}:${i}`));
      }
      expect(server.activeCalls).toBe(0);
    });

    test("messages of any size pass, from empty to megabytes", async () => {
      const sizes = [0, 1, 65_526, 65_527, 65_528, 65_536, 300_000, 5_000_000];
      const { client } = await bench.pair({
        async sizes(payload, call) {
          expect(payload.length).toBe(3_000_000);
          for (const size of sizes) {
            if (!call.send(new Uint8Array(size).fill(size % 251))) await call.writable();
          }
          call.end();
        },
      });
      const call = record(client, "sizes", new Uint8Array(3_000_000));
      expect(await call.outcome).toBeUndefined();
      expect(call.messages.map((message) => message.length)).toEqual(sizes);
      for (const message of call.messages)
        expect(message.every((byte) => byte === message.length % 251)).toBe(true);
    });

    test("messages and requests are copied when sent", async () => {
      let kept: Uint8Array | undefined;
      const { client } = await bench.pair({
        reuse(payload, call) {
          kept = payload;
          const buffer = bytes("first");
          call.send(buffer);
          buffer.set(bytes("again"));
          call.send(buffer);
          call.end();
        },
      });
      const request = bytes("request");
      const call = record(client, "reuse", request);
      request.fill(0);
      await call.outcome;
      expect(call.messages.map(text)).toEqual(["first", "again"]);
      expect(text(kept)).toBe("request");
    });

    test("callbacks never run before `call` has returned", async () => {
      const { client } = await bench.pair({ end: (_, call) => call.end() });
      client.close();
      let returned = false;
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const ignore = () => {};
      client.call("end", bytes(""), { onMessage: ignore, onEnd: ignore, onError: () => resolve(returned) });
      returned = true;
      expect(await promise).toBe(true);
    });
  });

  describe(`request plane over ${name}: endings`, () => {
    test("an unknown endpoint is an error, also one named like an Object property", async () => {
      const { client } = await bench.pair({});
      for (const endpoint of ["generate", "constructor", "__proto__"]) {
        expect(await record(client, endpoint).outcome).toMatchObject({ code: "unknown_endpoint" });
      }
    });

    test("a PlaneError of a handler reaches the caller, and any other error also the server's onError", async () => {
      const seen: unknown[] = [];
      const server = await bench.serve(
        {
          throws() {
            throw new Error("boom");
          },
          async rejects() {
            throw new PlaneError("overloaded", "too many");
          },
        },
        { onError: (error, endpoint) => seen.push(error.message, endpoint) },
      );
      const client = await bench.connect(server.address);
      expect(await record(client, "throws").outcome).toMatchObject({ code: "internal", message: "boom" });
      expect(await record(client, "rejects").outcome).toMatchObject({
        code: "overloaded",
        message: "too many",
      });
      expect(seen).toEqual(["boom", "throws"]);
    });

    test("only the first of end and fail counts", async () => {
      const { client } = await bench.pair({
        twice(_, call) {
          call.end();
          call.end();
          call.fail(new PlaneError("internal", "late"));
          expect(call.send(bytes("late"))).toBe(false);
        },
      });
      const call = record(client, "twice");
      expect(await call.outcome).toBeUndefined();
      await turns();
      expect(call.ends).toBe(1);
      expect(call.messages).toHaveLength(0);
    });

    test("cancel aborts the handler's signal, and no message arrives afterwards", async () => {
      const aborted = Promise.withResolvers<unknown>();
      const { client, server } = await bench.pair({
        async stream(_, call) {
          call.signal.addEventListener("abort", () => aborted.resolve(call.signal.reason));
          for (let i = 0; !call.signal.aborted; i++) {
            call.send(bytes(`${i}`));
            await new Promise((resolve) => setImmediate(resolve));
          }
        },
      });
      const call = record(client, "stream");
      await call.received(3);
      call.call.cancel();
      call.call.cancel();
      const count = call.messages.length;
      expect(await call.outcome).toMatchObject({ code: "cancelled" });
      expect(await aborted.promise).toMatchObject({ code: "cancelled" });
      await turns();
      expect(call.messages).toHaveLength(count);
      expect(call.ends).toBe(1);
      expect(server.activeCalls).toBe(0);
    });

    test("a signal first used after the abort is already aborted", async () => {
      const started = Promise.withResolvers<ServerCall>();
      const { client, server } = await bench.pair({ wait: (_, call) => started.resolve(call) });
      const call = record(client, "wait");
      const serverCall = await started.promise;
      call.call.cancel();
      await record(client, "nothing").outcome;
      expect(server.activeCalls).toBe(0);
      expect(serverCall.signal.reason).toMatchObject({ code: "cancelled" });
    });

    test("a deadline ends the call on both sides", async () => {
      const aborted = Promise.withResolvers<unknown>();
      const { client } = await bench.pair({
        hang: (_, call) => call.signal.addEventListener("abort", () => aborted.resolve(call.signal.reason)),
      });
      const call = record(client, "hang", bytes(""), { deadlineMs: 20 });
      expect(await call.outcome).toMatchObject({ code: "deadline_exceeded" });
      expect(["deadline_exceeded", "cancelled"]).toContain(((await aborted.promise) as PlaneError).code);
      expect(call.ends).toBe(1);
    });

    test("a receiver that throws ends only its own call", async () => {
      const { client } = await bench.pair({
        two(_, call) {
          call.send(bytes("1"));
          call.send(bytes("2"));
          call.end();
        },
      });
      const failed = Promise.withResolvers<PlaneError>();
      let messages = 0;
      client.call("two", bytes(""), {
        onMessage() {
          messages++;
          throw new Error("receiver");
        },
        onEnd: () => failed.reject(new Error("ended well")),
        onError: failed.resolve,
      });
      const other = record(client, "two");
      expect(await failed.promise).toMatchObject({ code: "internal" });
      expect(messages).toBe(1);
      expect(await other.outcome).toBeUndefined();
      expect(other.messages).toHaveLength(2);
    });

    test("an error says which of the request's media is at fault", async () => {
      const server = await bench.serve({
        media: () => {
          throw new PlaneError("invalid_media", "It is damaged: “à”.", { medium: 12 });
        },
      });
      const client = await bench.connect(server.address);
      expect(await record(client, "media").outcome).toMatchObject({
        ...{ code: "invalid_media", message: "It is damaged: “à”.", medium: 12 },
      });
    });

    test("a request or message over the peer's limit is refused, and the connection stays open", async () => {
      const server = await bench.serve(
        {
          long: (_, call) => void call.send(new Uint8Array(5_000)),
          end: (_, call) => call.end(),
        },
        { maxMessageBytes: 1_000 },
      );
      const client = await bench.connect(server.address, { maxMessageBytes: 4_000 });
      expect(await record(client, "end", new Uint8Array(1_001)).outcome).toMatchObject({
        code: "invalid_request",
      });
      expect(await record(client, "long").outcome).toMatchObject({ code: "invalid_request" });
      expect(await record(client, "end", new Uint8Array(1_000)).outcome).toBeUndefined();
    });
  });

  describe(`request plane over ${name}: flow control`, () => {
    test("a paused client makes the server wait, and bytes in flight stay bounded", async () => {
      const message = new Uint8Array(1_000);
      let sent = 0;
      const full = Promise.withResolvers<void>();
      const { client } = await bench.pair({
        async flood(_, call) {
          for (; sent < 5_000; sent++) {
            if (call.send(message)) continue;
            full.resolve();
            await call.writable();
          }
          call.end();
        },
      });
      const call = record(client, "flood", bytes(""), { windowBytes: 100_000 });
      call.call.pause();
      await full.promise;
      await call.received(100);
      await turns();
      expect(sent).toBeLessThanOrEqual(100);
      expect(call.messages.length).toBeLessThanOrEqual(100);
      call.call.resume();
      expect(await call.outcome).toBeUndefined();
      expect(call.messages).toHaveLength(5_000);
    });

    test("the default window is 256 KiB per call, and a paused call does not delay another", async () => {
      const waiting = Promise.withResolvers<number>();
      const { client } = await bench.pair({
        flood(_, call) {
          let sent = 1;
          while (call.send(new Uint8Array(1_015))) sent++;
          waiting.resolve(sent);
        },
        echo(payload, call) {
          call.send(payload);
          call.end();
        },
      });
      record(client, "flood").call.pause();
      expect(await waiting.promise).toBe(256);
      expect(await record(client, "echo", bytes("x")).outcome).toBeUndefined();
    });

    test("the end of a call releases those that wait for `writable`", async () => {
      const released = Promise.withResolvers<void>();
      const blocked = Promise.withResolvers<void>();
      const { client } = await bench.pair({
        async flood(_, call) {
          while (call.send(new Uint8Array(10_000)));
          blocked.resolve();
          await call.writable();
          released.resolve();
        },
      });
      const call = record(client, "flood");
      call.call.pause();
      await blocked.promise;
      call.call.cancel();
      await released.promise;
    });
  });

  describe(`request plane over ${name}: connections`, () => {
    test("closing the server fails running calls once, with connection_lost, on both sides", async () => {
      const aborted = Promise.withResolvers<unknown>();
      const { client, server } = await bench.pair({
        stream(_, call) {
          call.send(bytes("1"));
          call.signal.addEventListener("abort", () => aborted.resolve(call.signal.reason));
        },
      });
      const calls = [record(client, "stream"), record(client, "stream")];
      for (const call of calls) await call.received(1);
      await server.close();
      for (const call of calls) expect(await call.outcome).toMatchObject({ code: "connection_lost" });
      expect(await aborted.promise).toMatchObject({ code: "connection_lost" });
      await client.closed;
      expect(await record(client, "stream").outcome).toMatchObject({ code: "connection_lost" });
      await turns();
      expect(calls.map((call) => call.ends)).toEqual([1, 1]);
      expect(server.activeCalls).toBe(0);
    });

    test("closing the client fails its calls and aborts the handlers", async () => {
      const aborted = Promise.withResolvers<unknown>();
      const { client } = await bench.pair({
        stream(_, call) {
          call.signal.addEventListener("abort", () => aborted.resolve(call.signal.reason));
          call.send(bytes("1"));
        },
      });
      const call = record(client, "stream");
      await call.received(1);
      client.close();
      expect(await call.outcome).toMatchObject({ code: "connection_lost" });
      expect(await aborted.promise).toMatchObject({ code: "connection_lost" });
      expect(await client.closed).toBeUndefined();
    });

    test("a draining server finishes its calls, refuses new ones and then closes", async () => {
      const finish = Promise.withResolvers<void>();
      const { client, server } = await bench.pair({
        async slow(_, call) {
          call.send(bytes("1"));
          await finish.promise;
          call.send(bytes("2"));
          call.end();
        },
      });
      const call = record(client, "slow");
      await call.received(1);
      const drained = server.drain(60_000);
      expect(await record(client, "slow").outcome).toMatchObject({ code: "draining" });
      finish.resolve();
      expect(await call.outcome).toBeUndefined();
      expect(call.messages.map(text)).toEqual(["1", "2"]);
      await drained;
      expect(await client.closed).toBeUndefined();
      await expect(bench.connect(server.address)).rejects.toMatchObject({ code: "connection_lost" });
    });

    test("a drain that exceeds its deadline aborts running calls", async () => {
      const { client, server } = await bench.pair({ hang: (_, call) => void call.send(bytes("1")) });
      const call = record(client, "hang");
      await call.received(1);
      await server.drain(10);
      expect(await call.outcome).toMatchObject({ code: "connection_lost" });
    });

    test("calls on their way to a server that has drained were not begun: draining", async () => {
      let begun = 0;
      const { client, server } = await bench.pair({ count: () => void begun++ });
      const drained = server.drain(60_000);
      const calls = [record(client, "count"), record(client, "count")];
      for (const call of calls) expect(await call.outcome).toMatchObject({ code: "draining" });
      await drained;
      expect(await client.closed).toBeUndefined();
      expect(await record(client, "count").outcome).toMatchObject({ code: "draining" });
      expect(calls.map((call) => call.ends)).toEqual([1, 1]);
      expect(begun).toBe(0);
    });

    test("a drain that exceeds its deadline still ends the connections of idle clients in order", async () => {
      const { client, server } = await bench.pair({ hang: (_, call) => void call.send(bytes("1")) });
      const running = record(client, "hang");
      await running.received(1);
      const idle = await bench.connect(server.address);
      const drained = server.drain(0);
      await new Promise((resolve) => setTimeout(resolve, 5));
      const late = record(idle, "hang");
      expect(await late.outcome).toMatchObject({ code: "draining" });
      expect(await running.outcome).toMatchObject({ code: "connection_lost" });
      await drained;
    });

    test("an address cannot be served twice", async () => {
      const server = await bench.serve({});
      const { serve } = await import("./server.ts");
      await expect(serve(server.address, {}, context?.serve)).rejects.toThrow(/in use/);
    });

    test("connecting to an address without a server fails with that reason", async () => {
      const server = await bench.serve({});
      await server.close();
      await expect(bench.connect(server.address)).rejects.toMatchObject({ code: "connection_lost" });
    });
  });
}
