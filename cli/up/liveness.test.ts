import { EventEmitter } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { stall } from "../../scripts/testing/stall.ts";
import { beat, watchHeartbeat } from "../processes/heartbeat.ts";
import { watchLiveness } from "./liveness.ts";

const TIMEOUT_MS = 200 * stall();

/** Blocks this process and everything in it, as Ctrl-Z or `docker pause` would. */
async function blockProcess(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4 * TIMEOUT_MS);
}

let server: Server;
let asked = 0;
let isHung = false;
let stop = () => {};

beforeEach(async () => {
  isHung = false;
  asked = 0;
  server = createServer((_request, response) => {
    asked++;
    if (!isHung) response.end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});

afterEach(() => {
  stop();
  server.closeAllConnections();
  server.close();
});

const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

test("a suspended machine does not count as a hang; a real hang is reported once", async () => {
  const onHang = vi.fn();
  stop = watchLiveness(url(), TIMEOUT_MS, onHang);
  await expect.poll(() => asked).toBeGreaterThan(1);
  await blockProcess();
  const before = asked;
  await expect.poll(() => asked).toBeGreaterThan(before + 3);
  expect(onHang).not.toHaveBeenCalled();
  isHung = true;
  await expect.poll(() => onHang.mock.calls.length).toBe(1);
});

test("the same holds for a process that sends heartbeats", async () => {
  const child = new EventEmitter();
  const onHang = vi.fn();
  let beats = 0;
  const timer = setInterval(() => {
    beats++;
    child.emit("message", { type: "alive" });
  }, TIMEOUT_MS / 8);
  stop = watchHeartbeat(child, TIMEOUT_MS, onHang);
  await blockProcess();
  await expect.poll(() => beats).toBeGreaterThan(10);
  expect(onHang).not.toHaveBeenCalled();
  clearInterval(timer);
  await expect.poll(() => onHang.mock.calls.length).toBe(1);
});

test("heartbeats are sent only while the supervisor is connected", () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const send = vi.fn();
  const self = { connected: true, send };
  beat(self);
  vi.advanceTimersByTime(2_000);
  expect(send).toHaveBeenCalledTimes(2);
  self.connected = false;
  vi.advanceTimersByTime(10_000);
  expect(send).toHaveBeenCalledTimes(2);
});
