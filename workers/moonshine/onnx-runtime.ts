import { createRequire } from "node:module";
import { join } from "node:path";
import { importModule } from "../load-module.ts";

/** What the engine uses of the npm package `onnxruntime-node`, which is large and therefore not one of Stator's own. */
export interface OnnxRuntime {
  readonly InferenceSession: { create(path: string, options: SessionOptions): Promise<OnnxSession> };
  readonly Tensor: new (type: TensorType, data: TensorData, dims: readonly number[]) => OnnxTensor;
}

export interface OnnxSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly inputMetadata: readonly { readonly name: string; readonly shape?: readonly (number | string)[] }[];
  /** Computes in this thread, which does nothing else meanwhile. */
  run(feeds: Readonly<Record<string, OnnxTensor>>): Promise<Readonly<Record<string, OnnxTensor>>>;
  release(): Promise<void>;
}

export interface OnnxTensor {
  readonly data: unknown;
  readonly dims: readonly number[];
}

type TensorType = "float32" | "int64" | "bool";
type TensorData = Float32Array | BigInt64Array | Uint8Array;

export interface SessionOptions {
  readonly intraOpNumThreads?: number;
  readonly interOpNumThreads?: number;
  readonly graphOptimizationLevel?: "disabled" | "all";
  readonly optimizedModelFilePath?: string;
  /** ONNX Runtime's own settings, such as `session.save_model_format`. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** The version that the engine is tested with. */
const PACKAGE = "onnxruntime-node@1.30.0";

/**
 * Loads ONNX Runtime from where Stator's own packages are, the working directory, or the model's folder.
 * @throws Error that says how to install it
 */
export async function loadOnnxRuntime(modelFolder: string): Promise<OnnxRuntime> {
  const path = resolved([import.meta.dirname, process.cwd(), modelFolder]);
  if (path === undefined)
    throw new Error(
      `The moonshine engine computes with ONNX Runtime, which is not installed. Run: npm install --prefix ${modelFolder} --ignore-scripts ${PACKAGE}`,
    );
  const module = await importModule(path);
  if (!isOnnxRuntime(module)) throw new Error(`${path} is not ONNX Runtime; install ${PACKAGE}.`);
  return module;
}

function resolved(folders: readonly string[]): string | undefined {
  for (const folder of folders) {
    try {
      return createRequire(join(folder, "package.json")).resolve("onnxruntime-node");
    } catch {
      // It may be in the next one.
    }
  }
  return undefined;
}

const isOnnxRuntime = (module: object): module is OnnxRuntime =>
  "InferenceSession" in module &&
  typeof module.InferenceSession === "function" &&
  "Tensor" in module &&
  typeof module.Tensor === "function";

/** The values of a tensor of floats. @throws Error for any other */
export function floatsOf(tensor: OnnxTensor | undefined): Float32Array {
  if (tensor?.data instanceof Float32Array) return tensor.data;
  throw new Error("The model's output is not of floats.");
}
