import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { recordPath } from "./file-record.ts";
import { fetchModel } from "./index.ts";
import type { Progress } from "./progress.ts";
import {
  COMMIT,
  content,
  type HubStandIn,
  serveFile as serveAnyFile,
  serveFromHub,
  sha256,
  startHub,
  untilOnDisk as untilIn,
} from "./testing/hub.ts";

let folder: string;
let hub: HubStandIn;
let base: string;
let said: string[];

const progress: Progress = { say: (text) => void said.push(text), update: () => {}, done: () => {} };
const fetchTest = (model: string, signal?: AbortSignal) =>
  fetchModel(model, { folder, progress, ...(signal && { signal }) });
const serveFile = (options: Parameters<typeof serveAnyFile>[0]) => serveAnyFile({ folder, ...options });
const untilOnDisk = (size: number) => untilIn(folder, size);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stator-test-"));
  said = [];
  hub = await startHub(serveFile({}));
  base = hub.url;
});

afterEach(async () => {
  await hub.close();
  await rm(folder, { recursive: true });
});

const complete = async (path: string) => expect(await readFile(path)).toEqual(content);
const gets = () => hub.requests.filter((request) => request.method === "GET");
/** The model files, without the records beside them. */
const files = async () => (await readdir(folder)).filter((name) => !name.endsWith(".gguf.json"));

describe("an address", () => {
  test("is downloaded once, and named after its last path segment", async () => {
    const model = await fetchTest(`${base}/models/tiny.Q4.gguf`);
    expect(model.name).toBe("tiny.Q4");
    await complete(model.path);
    expect(await fetchTest(`${base}/models/tiny.Q4.gguf`)).toEqual(model);
    expect(gets()).toHaveLength(1);
    expect(await files()).toHaveLength(1);
  });

  test("resumes after a broken connection", async () => {
    let breaks = 2;
    hub.respond = serveFile({ breakAfter: () => (breaks-- > 0 ? 100_000 : undefined) });
    await complete((await fetchTest(`${base}/a.gguf`)).path);
    expect(gets().map((request) => request.range)).toEqual([undefined, "bytes=100000-", "bytes=200000-"]);
  });

  test("resumes after an earlier process was stopped", async () => {
    const controller = new AbortController();
    hub.respond = serveFile({ breakAfter: () => 100_000 });
    const stopped = fetchTest(`${base}/a.gguf`, controller.signal);
    await Promise.all([
      expect(stopped).rejects.toThrow(),
      untilOnDisk(100_000).then(() => controller.abort()),
    ]);
    hub.respond = serveFile({});
    await complete((await fetchTest(`${base}/a.gguf`)).path);
    expect(gets().at(-1)!.range).toBe("bytes=100000-");
    expect(await files()).toHaveLength(1);
  });

  test("starts over if the source's file has changed", async () => {
    const controller = new AbortController();
    hub.respond = serveFile({
      body: Buffer.alloc(content.length, "old"),
      etag: '"v0"',
      breakAfter: () => 100_000,
    });
    const stopped = fetchTest(`${base}/a.gguf`, controller.signal);
    await Promise.all([
      expect(stopped).rejects.toThrow(),
      untilOnDisk(100_000).then(() => controller.abort()),
    ]);
    hub.respond = serveFile({});
    await complete((await fetchTest(`${base}/a.gguf`)).path);
  });

  test("starts over if the server cannot resume", async () => {
    let breaks = 1;
    hub.respond = (request, response) => {
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
    expect(await files()).toHaveLength(1);
  });

  test("is verified against the server's checksum", async () => {
    hub.respond = serveFile({
      headers: { "repr-digest": `sha-256=:${Buffer.from(sha256, "hex").toString("base64")}:` },
    });
    await complete((await fetchTest(`${base}/a.gguf`)).path);
    expect(said.join()).toContain("Checksum verified");
    hub.respond = serveFile({
      headers: { "repr-digest": `sha-256=:${Buffer.alloc(32).toString("base64")}:` },
    });
    await expect(fetchTest(`${base}/b.gguf`)).rejects.toThrow("corrupt");
  });

  test("of another file type is refused and deleted", async () => {
    hub.respond = serveFile({ body: Buffer.from("<html>Sign in</html>") });
    await expect(fetchTest(`${base}/a.gguf`)).rejects.toThrow("not a GGUF file");
    hub.respond = serveFile({});
    await complete((await fetchTest(`${base}/a.gguf`)).path);
  });

  test.each([404, 403, 500])("that answers %i fails with the status in the message", async (status) => {
    hub.respond = (_, response) => response.writeHead(status).end();
    await expect(fetchTest(`${base}/a.gguf`)).rejects.toThrow(String(status));
    expect(await readdir(folder)).toEqual([]);
  });

  test("without a checksum has its own kept, and no secret of the address", async () => {
    const { path } = await fetchTest(`${base}/a.gguf?token=secret`);
    const record = await readFile(recordPath(path), "utf8");
    expect(JSON.parse(record)).toMatchObject({ source: `${base}/a.gguf`, sha256, checksumFrom: "download" });
    expect(record).not.toContain("secret");
  });

  test("that refuses connections fails with advice", async () => {
    await hub.close();
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
    hub.respond = serveFromHub();
    const model = await fetchTest("hf:owner/repo/folder/tiny.gguf");
    expect(hub.requests[0]!.path).toBe("/owner/repo/resolve/main/folder/tiny.gguf");
    expect(model.name).toBe("tiny");
    await complete(model.path);
    expect(said.join()).toContain(sha256.slice(0, 12));
  });

  test("keeps the checksum, the address and the commit beside the file", async () => {
    hub.respond = serveFromHub();
    const { path } = await fetchTest("hf:owner/repo@v1/tiny.gguf");
    expect(JSON.parse(await readFile(recordPath(path), "utf8"))).toEqual({
      source: "hf:owner/repo@v1/tiny.gguf",
      commit: COMMIT,
      bytes: content.length,
      sha256,
      checksumFrom: "source",
      fetchedAt: expect.any(String),
    });
  });

  test("whose bytes do not match the hub's checksum is refused and deleted", async () => {
    hub.respond = serveFromHub({ checksum: "0".repeat(64) });
    await expect(fetchTest("hf:owner/repo/tiny.gguf")).rejects.toThrow(`SHA-256 is ${sha256}`);
    expect(await readdir(folder)).toEqual([]);
  });

  test("that does not fit on the disk is refused before the download, with its size", async () => {
    hub.respond = serveFromHub({ size: 9e17, headers: { "x-linked-size": "900000000000000000" } });
    await expect(fetchTest("hf:owner/repo/tiny.gguf")).rejects.toThrow(
      /free, and the download needs 900000000.0 GB/,
    );
    expect(said.join()).toContain("Downloading hf:owner/repo/tiny.gguf (900000000.0 GB)");
    expect(gets()).toEqual([]);
    expect(await readdir(folder)).toEqual([]);
  });

  test("accepts a revision", async () => {
    await fetchTest("hf:owner/repo@v1.0/tiny.gguf");
    expect(hub.requests[0]!.path).toBe("/owner/repo/resolve/v1.0/tiny.gguf");
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
  expect(await fetchTest(path)).toEqual({ path, name: "my", aliases: [] });
  await writeFile(path, "text");
  await expect(fetchTest(path)).rejects.toThrow("not a GGUF file");
  await expect(fetchTest(join(folder, "none.gguf"))).rejects.toThrow("There is no model file");
});

test("a model that needs more memory than the machine has is fetched with a warning", async () => {
  hub.respond = serveFromHub();
  await fetchModel("qwen3:0.6b", { folder, progress, kvTokens: 1e12 });
  expect(said.join()).toMatch(/Warning: qwen3:0.6b needs about \d+\.\d GB of memory, and this machine has/);
  said = [];
  await fetchModel("qwen3:0.6b", { folder, progress, kvTokens: 1 });
  expect(said).toEqual([]);
});
