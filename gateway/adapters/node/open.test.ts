import { type AddressInfo, createServer, type Server } from "node:net";
import { afterEach, expect, test } from "vitest";
import { createLogger, type Discovery } from "#runtime";
import { openDiscovery } from "#runtime/node";
import { openAtPort } from "#stand-ins";
import { routerModule } from "../../routing/test-model.ts";
import type { ListeningOptions } from "../listening.ts";
import { startNodeGateway } from "./index.ts";

let servers: Server[] = [];

afterEach(async () => {
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  servers = [];
});

/** Takes a port. @throws the system's error if it is taken */
async function take(port: number): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(port, "127.0.0.1", () => resolve());
  });
  servers.push(server);
  return (server.address() as AddressInfo).port;
}

/** A port that is free now. */
async function freePort(): Promise<number> {
  const port = await openAtPort(0, take);
  await new Promise((resolve) => servers.pop()?.close(resolve));
  return port;
}

/** Discovery that counts its watches. */
class CountingDiscovery implements Pick<Discovery, "watch"> {
  watching = 0;
  readonly #inner: Discovery;

  constructor(inner: Discovery) {
    this.#inner = inner;
  }

  async watch(...given: Parameters<Discovery["watch"]>): ReturnType<Discovery["watch"]> {
    const watch = await this.#inner.watch(...given);
    this.watching++;
    return {
      close: () => {
        this.watching--;
        watch.close();
      },
    };
  }
}

async function startWith(options: Partial<ListeningOptions>) {
  const inner = await openDiscovery(`memory:${crypto.randomUUID()}`);
  const counting = new CountingDiscovery(inner);
  const discovery = Object.assign(Object.create(inner) as Discovery, {
    watch: (...given: Parameters<Discovery["watch"]>) => counting.watch(...given),
  });
  const started = startNodeGateway({
    host: "127.0.0.1",
    port: 0,
    discovery,
    routerModule,
    bodyLimit: 1_000_000,
    timeoutMs: 10_000,
    log: createLogger({ name: "test", write: () => {} }),
    version: "0.0.0",
    ...options,
  });
  return { started, counting };
}

test("a gateway whose port is taken releases what it has opened", async () => {
  const { started, counting } = await startWith({ port: await take(0) });
  await expect(started).rejects.toThrow(/EADDRINUSE/);
  expect(counting.watching).toBe(0);
});

test("a gateway whose /admin port is taken releases the API's port too", async () => {
  const [port, taken] = [await freePort(), await take(0)];
  const admin = { port: taken, host: "127.0.0.1", isGuarded: false };
  const { started, counting } = await startWith({ port, admin });
  await expect(started).rejects.toThrow(/EADDRINUSE/);
  expect(counting.watching).toBe(0);
  expect(await take(port)).toBe(port);
});

test("a gateway with an invalid engine address releases its other engines", async () => {
  const { started, counting } = await startWith({
    engines: [{ url: "http://127.0.0.1:9" }, { url: "ftp://x" }],
  });
  await expect(started).rejects.toThrow(/not the address of an engine/);
  expect(counting.watching).toBe(0);
});
