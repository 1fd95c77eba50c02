import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { createOpenUrl } from "../adapters/node/open-url.ts";
import { webByteTools } from "./byte-tools.ts";
import { type FetchLimits, MediaFetcher, type OpenUrl } from "./fetch.ts";
import { createWebOpenUrl } from "./web-open-url.ts";

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
});

/** A web server, and how many requests it has got. */
async function serve(answer: RequestListener) {
  let requests = 0;
  const server = createServer((request, response) => {
    requests++;
    answer(request, response);
  });
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  return { port, count: () => requests };
}

/** All names but one resolve to this machine, and one to two addresses of which one is private. */
const resolveHost = async (host: string) =>
  host === "two.example" ? ["192.0.2.1", "127.0.0.1"] : ["127.0.0.1"];
const openUrl = createOpenUrl(resolveHost);

const fetcher = (limits: Partial<FetchLimits> = {}, open: OpenUrl = openUrl) =>
  new MediaFetcher(
    open,
    { domains: ["a.example"], maxBytes: 1000, timeoutMs: 5000, cacheBytes: 10_000, ...limits },
    webByteTools,
  );

const textOf = (base64: Uint8Array) => atob(new TextDecoder().decode(base64));
const get = async (from: MediaFetcher, url: string, owner = "") => textOf(await from.fetch(url, "p", owner));

describe.each<[string, OpenUrl]>([
  ["over connections of its own", openUrl],
  ["with fetch", (checked, path, signal) => WEB({ ...checked, url: local(checked.url) }, path, signal)],
])("fetching %s", (_how, open) => {
  test("gives the body, and asks once", async () => {
    const { port, count } = await serve((_, response) => response.end("picture"));
    const from = fetcher({}, open);
    const url = `http://a.example:${port}/cat.png`;
    expect(await Promise.all([get(from, url), get(from, url)])).toEqual(["picture", "picture"]);
    expect(await get(from, url)).toBe("picture");
    expect(count()).toBe(1);
    expect(await get(from, url, "another owner")).toBe("picture");
    expect(count()).toBe(2);
  });

  test("keeps nothing that its server does not want kept", async () => {
    const { port, count } = await serve((_, response) => {
      response.setHeader("cache-control", "private, no-store");
      response.end("picture");
    });
    const from = fetcher({}, open);
    for (let n = 0; n < 3; n++) await get(from, `http://a.example:${port}/`);
    expect(count()).toBe(3);
  });

  test("keeps no more than it may", async () => {
    const { port, count } = await serve((_, response) => response.end("x".repeat(300)));
    const from = fetcher({ cacheBytes: 1700 }, open);
    for (const name of ["a", "b", "c", "d", "e", "e", "a"])
      await get(from, `http://a.example:${port}/${name}`);
    expect(count()).toBe(6);
  });

  test("follows redirects to allowed hosts, and to no others", async () => {
    const { port } = await serve(({ url }, response) => {
      const to = { "/one": "/two", "/two": "http://a.example:PORT/three", "/out": "http://10.0.0.1/" }[
        url ?? ""
      ];
      if (to === undefined) return void response.end("picture");
      response.writeHead(302, { location: to.replace("PORT", String(port)) });
      response.end();
    });
    const from = fetcher({}, open);
    expect(await get(from, `http://a.example:${port}/one`)).toBe("picture");
    await expect(get(from, `http://a.example:${port}/out`)).rejects.toMatchObject({
      status: 400,
      code: "media_url_not_allowed",
    });
  });

  test.each<[string, RequestListener, RegExp]>([
    ["an error", (_, response) => void response.writeHead(404).end("none"), /status 404/],
    [
      "too much",
      (_, response) => void response.end("x".repeat(1001)),
      /limit of \d+ bytes. Send a smaller one/,
    ],
    [
      "too much, bit by bit",
      (_, response) => {
        response.write("x".repeat(900));
        response.end("x".repeat(900));
      },
      /limit of \d+ bytes. Send a smaller one/,
    ],
    [
      "redirects in a circle",
      (_, response) => void response.writeHead(302, { location: "/again" }).end(),
      /redirects more than/,
    ],
    ["a broken connection", (_, response) => void response.destroy(), /could not be fetched/],
    [
      "half a body",
      (_, response) => {
        response.writeHead(200, { "content-length": "100" });
        response.write("half", () => response.destroy());
      },
      /could not be fetched/,
    ],
  ])("%s is a client's error", async (_what, answer, message) => {
    const { port } = await serve(answer);
    await expect(get(fetcher({}, open), `http://a.example:${port}/`)).rejects.toMatchObject({
      status: 400,
      param: "p",
      message: expect.stringMatching(message),
    });
  });

  test("gives up in time", async () => {
    const { port } = await serve((_, response) => void response.write("a"));
    await expect(get(fetcher({ timeoutMs: 100 }, open), `http://a.example:${port}/`)).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining("within 0.1 s"),
    });
  });
});

const WEB = createWebOpenUrl();
const local = (url: URL) => new URL(url.href.replace("a.example", "127.0.0.1"));

describe("names", () => {
  test.each(["a.example", "two.example", "localhost", "127.0.0.1", "[::1]"])(
    "of private addresses, as %s, are not connected to",
    async (host) => {
      const { port, count } = await serve((_, response) => response.end("secret"));
      await expect(get(fetcher({ domains: "public" }), `http://${host}:${port}/`)).rejects.toMatchObject({
        status: 400,
        code: "media_url_not_allowed",
        message: expect.stringContaining("private network"),
      });
      expect(count()).toBe(0);
    },
  );

  test("that cannot be resolved are a client's error", async () => {
    const open = createOpenUrl(() => Promise.reject(new Error("ENOTFOUND")));
    await expect(get(fetcher({}, open), "http://a.example/")).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining("cannot be resolved"),
    });
  });
});
