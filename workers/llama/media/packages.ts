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

/**
 * The library of llama.cpp that node-llama-cpp has loaded into this process.
 * @throws Error if there is none
 */
export function loadedLlama(): string {
  // Otherwise the report asks for the names of all hosts that this process talks to. (Node's types lack the setting.)
  Reflect.set(process.report, "excludeNetwork", true);
  const report: { readonly sharedObjects?: unknown } = process.report.getReport();
  const libraries: unknown[] = Array.isArray(report.sharedObjects) ? report.sharedObjects : [];
  const found = libraries.find((path) => typeof path === "string" && LIBRARY.test(basename(path)));
  if (typeof found !== "string") throw new Error("node-llama-cpp has not loaded llama.cpp's library.");
  return found;
}

const LIBRARY = /^(?:lib)?llama(?:\.v[\d.]+)?\.(?:so|dylib|dll)$/;
