import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ConnectionPool } from "./pool.ts";

const TIMEOUTS = { connectMs: 5_000, firstByteMs: 5_000, idleMs: 5_000 };

let connections = 0;
const server = createServer((_, response) => response.end("ok"));
server.on("connection", () => connections++);

beforeEach(async () => {
  connections = 0;
  server.listen(0, "localhost");
  await once(server, "listening");
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, "close");
});

function ask(pool: ConnectionPool, host: string): Promise<void> {
  const { port } = server.address() as AddressInfo;
  const origin = `http://${host}:${port}`;
  const request = { origin, method: "GET", path: "/", headers: [], body: undefined, mayReuse: true };
  return new Promise((resolve, reject) => {
    const onEnd = () => {
      resolve();
      return false;
    };
    pool.send(request, { onHead() {}, onBytes: () => false, onEnd, onError: reject }, TIMEOUTS);
  });
}

test("a connection to a host name is not reused forever, because the name may resolve differently later", async () => {
  const { address, family } = server.address() as AddressInfo;
  const pool = new ConnectionPool(undefined, 0);
  for (let index = 0; index < 3; index++) await ask(pool, "localhost");
  expect(connections).toBe(3);
  for (let index = 0; index < 3; index++) await ask(pool, family === "IPv6" ? `[${address}]` : address);
  expect(connections).toBe(4);
  pool.close();
});

test("a connection to a host name is reused for a while", async () => {
  const pool = new ConnectionPool();
  for (let index = 0; index < 3; index++) await ask(pool, "localhost");
  expect(connections).toBe(1);
  pool.close();
});
