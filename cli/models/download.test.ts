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

/** Downloads from a local server that behaves like Hugging Face's and breaks like a network. */
const content = Buffer.concat([Buffer.from("GGUF"), Buffer.alloc(300_000, "model")]);
const sha256 = createHash("sha256").update(content).digest("hex");

let folder: string;
let server: Server;
let base: string;
let requests: { method: string; path: string; range: string | undefined }[];
let respond: (request: IncomingMessage, response: ServerResponse) => void;
let said: string[];

const progress: Progress = { say: (text) => void said.push(text), update: () => {}, done: () => {} };
const fetchTest = (model: string, signal?: AbortSignal) =>
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
  /** Cuts the connection after this many bytes of an answer. */
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

/** Waits until this much is on disk: what is not when the connection breaks is lost. */
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
  test("is downloaded once, and named after its last path segment", async () => {
    const model = await fetchTest(`${base}/models/tiny.Q4.gguf`);
    expect(model.name).toBe("tiny.Q4");
    await complete(model.path);
    expect(await fetchTest(`${base}/models/tiny.Q4.gguf`)).toEqual(model);
    expect(gets()).toHaveLength(1);
    expect(await readdir(folder)).toHaveLength(1);
  });

  test("resumes after a broken connection", async () => {
    let breaks = 2;
    respond = serveFile({ breakAfter: () => (breaks-- > 0 ? 100_000 : undefined) });
    await complete((await fetchTest(`${base}/a.gguf`)).path);
    expect(gets().map((request) => request.range)).toEqual([undefined, "bytes=100000-", "bytes=200000-"]);
  });

  test("resumes after an earlier process was stopped", async () => {
    const controller = new AbortController();
    respond = serveFile({ breakAfter: () => 100_000 });
    const stopped = fetchTest(`${base}/a.gguf`, controller.signal);
    await Promise.all([
      expect(stopped).rejects.toThrow(),
      untilOnDisk(100_000).then(() => controller.abort()),
    ]);
    respond = serveFile({});
    await complete((await fetchTest(`${base}/a.gguf`)).path);
    expect(gets().at(-1)!.range).toBe("bytes=100000-");
    expect(await readdir(folder)).toHaveLength(1);
  });

  test("starts over if the source's file has changed", async () => {
    const controller = new AbortController();
    respond = serveFile({
      body: Buffer.alloc(content.length, "old"),
      etag: '"v0"',
      breakAfter: () => 100_000,
    });
    const stopped = fetchTest(`${base}/a.gguf`, controller.signal);
    await Promise.all([
      expect(stopped).rejects.toThrow(),
      untilOnDisk(100_000).then(() => controller.abort()),
    ]);
    respond = serveFile({});
    await complete((await fetchTest(`${base}/a.gguf`)).path);
  });

  test("starts over if the server cannot resume", async () => {
    let breaks = 1;
    respond = (request, response) => {
      delete request.headers.range;
      serveFile({ breakAfter: () => (breaks-- > 0 ? 100_000 : undefined) })(request, response);
    };
    await complete((await fetchTest(`${base}/a.gguf`)).path);
  });

  test("is verified against the checksum in '#sha256='", async () => {
    await complete((await fetchTest(`${base}/a.gguf#sha256=${sha256}`)).path);
    const wrong = "0".repeat(64);
    await expect(fetchTest(`${base}/b.gguf#sha256=${wrong}`)).rejects.toThrow(
      `SHA-256 is ${sha256}, not ${wrong}`,
    );
    expect(await readdir(folder)).toHaveLength(1);
  });

  test("is verified against the server's checksum", async () => {
    respond = serveFile({
      headers: { "repr-digest": `sha-256=:${Buffer.from(sha256, "hex").toString("base64")}:` },
    });
    await complete((await fetchTest(`${base}/a.gguf`)).path);
    expect(said.join()).toContain("Checksum verified");
    respond = serveFile({ headers: { "repr-digest": `sha-256=:${Buffer.alloc(32).toString("base64")}:` } });
    await expect(fetchTest(`${base}/b.gguf`)).rejects.toThrow("corrupt");
  });

  test("of another file type is refused and deleted", async () => {
    respond = serveFile({ body: Buffer.from("<html>Sign in</html>") });
    await expect(fetchTest(`${base}/a.gguf`)).rejects.toThrow("not a GGUF file");
    respond = serveFile({});
    await complete((await fetchTest(`${base}/a.gguf`)).path);
  });

  test.each([404, 403, 500])("that answers %i fails with the status in the message", async (status) => {
    respond = (_, response) => response.writeHead(status).end();
    await expect(fetchTest(`${base}/a.gguf`)).rejects.toThrow(String(status));
    expect(await readdir(folder)).toEqual([]);
  });

  test("that refuses connections fails with advice", async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await expect(fetchTest(`${base}/a.gguf`)).rejects.toThrow(
      /Cannot reach 127.0.0.1:\d+: .*ECONNREFUSED.*--model FILE/,
    );
  });

  test("is downloaded once by two concurrent calls", async () => {
    const [first, second] = await Promise.all([fetchTest(`${base}/a.gguf`), fetchTest(`${base}/a.gguf`)]);
    expect(first).toEqual(second);
    await complete(first.path);
    expect(gets()).toHaveLength(1);
  });

  test("is downloaded despite the lock of a dead process", async () => {
    const { path } = await fetchTest(`${base}/a.gguf`);
    await rm(path);
    await writeFile(`${path}.lock`, "999999999");
    await complete((await fetchTest(`${base}/a.gguf`)).path);
    // Or of one whose id has been reused.
    await rm(path);
    await writeFile(`${path}.lock`, "1");
    await utimes(`${path}.lock`, 0, 0);
    await complete((await fetchTest(`${base}/a.gguf`)).path);
  });

  test("starts over if a crash truncated the partial file's metadata", async () => {
    const { path } = await fetchTest(`${base}/a.gguf`);
    await rm(path);
    await writeFile(`${path}.partial`, content.subarray(0, 1000));
    await writeFile(`${path}.partial.json`, '{"etag":');
    await complete((await fetchTest(`${base}/a.gguf`)).path);
  });
});

describe("hf:owner/repo/file.gguf", () => {
  test("follows the hub's redirect and verifies the hub's checksum", async () => {
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
    const model = await fetchTest("hf:owner/repo/folder/tiny.gguf");
    expect(requests[0]!.path).toBe("/owner/repo/resolve/main/folder/tiny.gguf");
    expect(model.name).toBe("tiny");
    await complete(model.path);
    expect(said.join()).toContain(sha256.slice(0, 12));
  });

  test("accepts a revision", async () => {
    await fetchTest("hf:owner/repo@v1.0/tiny.gguf");
    expect(requests[0]!.path).toBe("/owner/repo/resolve/v1.0/tiny.gguf");
  });

  test.each(["hf:tiny.gguf", "hf:owner/tiny.gguf", "hf:owner/repo/tiny.bin", "hf:"])(
    "%s is refused",
    async (text) => {
      await expect(fetchTest(text)).rejects.toThrow("hf:owner/repo/file.gguf");
    },
  );
});

test("a path is used as it is; a missing file and one of another type are refused", async () => {
  const path = join(folder, "my.gguf");
  await writeFile(path, content);
  expect(await fetchTest(path)).toEqual({ path, name: "my" });
  await writeFile(path, "text");
  await expect(fetchTest(path)).rejects.toThrow("not a GGUF file");
  await expect(fetchTest(join(folder, "none.gguf"))).rejects.toThrow("There is no model file");
});
