import { importPackage } from "../packages.ts";

/** What engines use of the npm package `onnxruntime-node`, which is large and therefore not one of Stator's own. */
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
  /** Whether freed memory is kept for the next run. Default true. */
  readonly enableCpuMemArena?: boolean;
  /** Whether the places of a run's tensors are planned once for each shape of the input. Default true. */
  readonly enableMemPattern?: boolean;
  /** ONNX Runtime's own settings, such as `session.save_model_format`. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** The version that the engines are tested with. */
const PACKAGE = { name: "onnxruntime-node", version: "1.30.0" };

/**
 * Loads ONNX Runtime from where Stator's own packages are, the working directory, or the model's folder.
 * @param engine that asks for it, for the error's message
 * @throws Error that says how to install it
 */
export async function loadOnnxRuntime(engine: string, modelFolder: string): Promise<OnnxRuntime> {
  const use = `The ${engine} engine computes with ONNX Runtime`;
  const { path, module } = await importPackage({ ...PACKAGE, use }, modelFolder);
  if (!isOnnxRuntime(module))
    throw new Error(`${path} is not ONNX Runtime; install ${PACKAGE.name}@${PACKAGE.version}.`);
  return module;
}

/** How an engine's sessions compute. @param threads of the CPU for each operation */
export const sessionOptions = (threads: number): SessionOptions => ({
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  // Threads that spin while they wait take the cores from other processes: on busy cores, half as fast in all.
  extra: { session: { intra_op: { allow_spinning: "0" } } },
});

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
