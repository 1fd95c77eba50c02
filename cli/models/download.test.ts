import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fetchModel } from "./index.ts";
import type { Progress } from "./progress.ts";

/** Downloads from a server of our own that speaks as Hugging Face's does, and that breaks as networks do. */
const content = Buffer.concat([Buffer.from("GGUF"), Buffer.alloc(300_000, "model")]);
const sha256 = createHash("sha256").update(content).digest("hex");

let folder: string;
let server: Server;
let base: string;
let requests: { method: string; path: string; range: string | undefined }[];
let respond: (request: IncomingMessage, response: ServerResponse) => void;
let said: string[];

const progress: Progress = { say: (text) => void said.push(text), update: () => {}, done: () => {} };
const fetchIt = (model: string, signal?: AbortSignal) =>
  fetchModel(model, { folder, progress, ...(signal && { signal }) });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stator-test-"));
  requests = [];
  said = [];
  respond = serveFile({});
  server = createServer((request, response) => {
    requests.push({ method: request.method!, path: request.url!, range: request.headers.range });
    respond(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  process.env.HF_ENDPOINT = base;
});

afterEach(async () => {
  delete process.env.HF_ENDPOINT;
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true });
});

interface FileOptions {
  body?: Buffer;
  etag?: string;
  headers?: Record<string, string>;
  /** Cuts the connection after so many bytes of an answer. */
  breakAfter?: () => number | undefined;
}

/** Serves the file with ranges, as HTTP asks for it. */
function serveFile({
  body = content,
  etag = '"v1"',
  headers = {},
  breakAfter = () => undefined,
}: FileOptions) {
  return (request: IncomingMessage, response: ServerResponse) => {
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const isRange = start > 0 && (request.headers["if-range"] ?? etag) === etag;
    const part = isRange ? body.subarray(start) : body;
    response.writeHead(isRange ? 206 : 200, { etag, "content-length": part.length, ...headers });
    if (request.method === "HEAD") return response.end();
    const limit = breakAfter();
    if (limit === undefined) return response.end(part);
    response.write(part.subarray(0, limit));
    return void untilOnDisk(start + limit).then(() => response.destroy());
  };
}

/** What has not reached the disk when a connection breaks is lost: wait for it, so that the test knows how much is not. */
async function untilOnDisk(size: number): Promise<void> {
  for (;;) {
    const partial = (await readdir(folder)).find((name) => name.endsWith(".partial"));
    if (partial !== undefined && (await stat(join(folder, partial))).size >= size) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const complete = async (path: string) => expect(await readFile(path)).toEqual(content);
const gets = () => requests.filter((request) => request.method === "GET");

describe("an address", () => {
  test("is downloaded once, under a name from its last part", async () => {
    const model = await fetchIt(`${base}/models/tiny.Q4.gguf`);
    expect(model.name).toBe("tiny.Q4");
    await complete(model.path);
    expect(await fetchIt(`${base}/models/tiny.Q4.gguf`)).toEqual(model);
    expect(gets()).toHaveLength(1);
    expect(await readdir(folder)).toHaveLength(1);
  });

  test("goes on where the connection broke", async () => {
    let breaks = 2;
    respond = serveFile({ breakAfter: () => (breaks-- > 0 ? 100_000 : undefined) });
    await complete((await fetchIt(`${base}/a.gguf`)).path);
    expect(gets().map((request) => request.range)).toEqual([undefined, "bytes=100000-", "bytes=200000-"]);
  });

  test("goes on where an earlier process was stopped", async () => {
    const controller = new AbortController();
    respond = serveFile({ breakAfter: () => 100_000 });
    const stopped = fetchIt(`${base}/a.gguf`, controller.signal);
    await Promise.all([
      expect(stopped).rejects.toThrow(),
      untilOnDisk(100_000).then(() => controller.abort()),
    ]);
    respond = serveFile({});
    await complete((await fetchIt(`${base}/a.gguf`)).path);
    expect(gets().at(-1)!.range).toBe("bytes=100000-");
    expect(await readdir(folder)).toHaveLength(1);
  });

  test("begins anew when the source has another file by then", async () => {
    const controller = new AbortController();
    respond = serveFile({
      body: Buffer.alloc(content.length, "old"),
      etag: '"v0"',
      breakAfter: () => 100_000,
    });
    const stopped = fetchIt(`${base}/a.gguf`, controller.signal);
    await Promise.all([
      expect(stopped).rejects.toThrow(),
      untilOnDisk(100_000).then(() => controller.abort()),
    ]);
    respond = serveFile({});
    await complete((await fetchIt(`${base}/a.gguf`)).path);
  });

  test("begins anew when the server cannot resume", async () => {
    let breaks = 1;
    respond = (request, response) => {
      delete request.headers.range;
      serveFile({ breakAfter: () => (breaks-- > 0 ? 100_000 : undefined) })(request, response);
    };
    await complete((await fetchIt(`${base}/a.gguf`)).path);
  });

  test("is held to the checksum behind '#sha256='", async () => {
    await complete((await fetchIt(`${base}/a.gguf#sha256=${sha256}`)).path);
    const wrong = "0".repeat(64);
    await expect(fetchIt(`${base}/b.gguf#sha256=${wrong}`)).rejects.toThrow(
      `SHA-256 is ${sha256}, not ${wrong}`,
    );
    expect(await readdir(folder)).toHaveLength(1);
  });

  test("is held to the checksum that the server gives", async () => {
    respond = serveFile({
      headers: { "repr-digest": `sha-256=:${Buffer.from(sha256, "hex").toString("base64")}:` },
    });
    await complete((await fetchIt(`${base}/a.gguf`)).path);
    expect(said.join()).toContain("Checksum is right");
    respond = serveFile({ headers: { "repr-digest": `sha-256=:${Buffer.alloc(32).toString("base64")}:` } });
    await expect(fetchIt(`${base}/b.gguf`)).rejects.toThrow("damaged");
  });

  test("that is no GGUF file is refused and not kept", async () => {
    respond = serveFile({ body: Buffer.from("<html>Sign in</html>") });
    await expect(fetchIt(`${base}/a.gguf`)).rejects.toThrow("not a GGUF file");
    respond = serveFile({});
    await complete((await fetchIt(`${base}/a.gguf`)).path);
  });

  test.each([404, 403, 500])("that answers %i fails with a sentence", async (status) => {
    respond = (_, response) => response.writeHead(status).end();
    await expect(fetchIt(`${base}/a.gguf`)).rejects.toThrow(String(status));
    expect(await readdir(folder)).toEqual([]);
  });

  test("that nobody answers fails with a sentence", async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await expect(fetchIt(`${base}/a.gguf`)).rejects.toThrow(
      /Cannot reach 127.0.0.1:\d+: .*ECONNREFUSED.*--model FILE/,
    );
  });

  test("is downloaded once by two at the same time", async () => {
    const [first, second] = await Promise.all([fetchIt(`${base}/a.gguf`), fetchIt(`${base}/a.gguf`)]);
    expect(first).toEqual(second);
    await complete(first.path);
    expect(gets()).toHaveLength(1);
  });

  test("whose lock was left by a dead process is downloaded all the same", async () => {
    const { path } = await fetchIt(`${base}/a.gguf`);
    await rm(path);
    await writeFile(`${path}.lock`, "999999999");
    await complete((await fetchIt(`${base}/a.gguf`)).path);
    // Or by one whose id means another process now.
    await rm(path);
    await writeFile(`${path}.lock`, "1");
    await utimes(`${path}.lock`, 0, 0);
    await complete((await fetchIt(`${base}/a.gguf`)).path);
  });

  test("whose notes on a partial file were cut off by a crash begins anew", async () => {
    const { path } = await fetchIt(`${base}/a.gguf`);
    await rm(path);
    await writeFile(`${path}.partial`, content.subarray(0, 1000));
    await writeFile(`${path}.partial.json`, '{"etag":');
    await complete((await fetchIt(`${base}/a.gguf`)).path);
  });
});

describe("hf:owner/repo/file.gguf", () => {
  test("asks the hub, follows its redirect and holds the file to the hub's checksum", async () => {
    respond = (request, response) => {
      if (request.url !== "/blob") {
        const headers = {
          location: "/blob",
          "x-linked-etag": `"${sha256}"`,
          "x-linked-size": String(content.length),
        };
        return response.writeHead(302, headers).end();
      }
      return serveFile({ etag: '"blob"' })(request, response);
    };
    const model = await fetchIt("hf:owner/repo/folder/tiny.gguf");
    expect(requests[0]!.path).toBe("/owner/repo/resolve/main/folder/tiny.gguf");
    expect(model.name).toBe("tiny");
    await complete(model.path);
    expect(said.join()).toContain(sha256.slice(0, 12));
  });

  test("takes a revision", async () => {
    await fetchIt("hf:owner/repo@v1.0/tiny.gguf");
    expect(requests[0]!.path).toBe("/owner/repo/resolve/v1.0/tiny.gguf");
  });

  test.each(["hf:tiny.gguf", "hf:owner/tiny.gguf", "hf:owner/repo/tiny.bin", "hf:"])(
    "%s is refused",
    async (text) => {
      await expect(fetchIt(text)).rejects.toThrow("hf:owner/repo/file.gguf");
    },
  );
});

test("a path is taken as it is; a missing one and one that is no GGUF file are refused", async () => {
  const path = join(folder, "my.gguf");
  await writeFile(path, content);
  expect(await fetchIt(path)).toEqual({ path, name: "my" });
  await writeFile(path, "text");
  await expect(fetchIt(path)).rejects.toThrow("not a GGUF file");
  await expect(fetchIt(join(folder, "none.gguf"))).rejects.toThrow("There is no model file");
});
