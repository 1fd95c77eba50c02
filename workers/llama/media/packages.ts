import { basename } from "node:path";
import { findPackage } from "../../packages.ts";

/** llama.cpp with mtmd, its multimodal library, as npm's packages carry it. */
const LLAMA = `@fugood/node-llama-${process.platform}-${process.arch}`;
export const LLAMA_VERSION = "1.7.15";
/** Calls functions of C. */
const KOFFI = "koffi";
const KOFFI_VERSION = "3.3.4";

/** Where the packages are that media are encoded with. */
export interface MediaPackages {
  readonly llama: string;
  readonly koffi: string;
}

/**
 * Finds them where Stator's own packages are, in the working directory, or beside the model.
 * @throws Error that says how to install what is missing
 */
export function findMediaPackages(modelFolder: string): MediaPackages {
  const [llama, koffi] = [findPackage(LLAMA, modelFolder), findPackage(KOFFI, modelFolder)];
  if (llama !== undefined && koffi !== undefined) return { llama, koffi };
  const missing = llama === undefined ? LLAMA : KOFFI;
  throw new Error(
    `A llama worker with --mmproj computes with ${missing}, which is not installed. Run: npm install --prefix ${modelFolder} --ignore-scripts ${LLAMA}@${LLAMA_VERSION} ${KOFFI}@${KOFFI_VERSION}`,
  );
}

/** Libraries that node-llama-cpp has loaded into this process. */
export interface LoadedLibraries {
  readonly llama: string;
  /** ggml's kernels for this processor; undefined if they are not in a library of their own. */
  readonly kernels: string | undefined;
}

/** @throws Error if node-llama-cpp has not loaded llama.cpp */
export function loadedLibraries(): LoadedLibraries {
  // Otherwise the report asks for the names of all hosts that this process talks to. (Node's types lack the setting.)
  Reflect.set(process.report, "excludeNetwork", true);
  const report: { readonly sharedObjects?: unknown } = process.report.getReport();
  const libraries: unknown[] = Array.isArray(report.sharedObjects) ? report.sharedObjects : [];
  const find = (pattern: RegExp) =>
    libraries.find((path): path is string => typeof path === "string" && pattern.test(basename(path)));
  const llama = find(/^(?:lib)?llama(?:\.v[\d.]+)?\.(?:so|dylib|dll)$/);
  if (llama === undefined) throw new Error("node-llama-cpp has not loaded llama.cpp's library.");
  return { llama, kernels: find(/^(?:lib)?ggml-cpu-\w+\.(?:so|dylib|dll)$/) };
}
