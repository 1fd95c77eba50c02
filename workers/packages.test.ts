import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadOnnxRuntime } from "./onnx/onnx-runtime.ts";
import { importPackage } from "./packages.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stator-test-"));
});
afterEach(() => rm(folder, { recursive: true }));

const needed = { name: "no-such-package", version: "1.2.3", use: "The test engine counts with it" };

async function install(name: string, code: string): Promise<string> {
  const path = join(folder, "node_modules", name, "index.js");
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(path, code);
  return path;
}

test("finds a package in the model's folder", async () => {
  const path = await install("no-such-package", "exports.count = 1");
  const found = await importPackage(needed, folder);
  expect(found).toMatchObject({ path, module: { count: 1 } });
});

test("says which engine needs a package, and how to install it", async () => {
  await expect(importPackage(needed, folder)).rejects.toThrow(
    `The test engine counts with it, which is not installed. Run: npm install --prefix ${folder} --ignore-scripts no-such-package@1.2.3`,
  );
});

test("says so if a package is not ONNX Runtime", async () => {
  const path = await install("onnxruntime-node", "exports.count = 1");
  await expect(loadOnnxRuntime("test", folder)).rejects.toThrow(
    `${path} is not ONNX Runtime; install onnxruntime-node@1.30.0.`,
  );
});
