import { createRequire } from "node:module";
import { join } from "node:path";

/** What the engine uses of `@fugood/node-llama-*`: llama.cpp with mtmd, its multimodal library. */
export interface MediaBinding {
  readonly LlamaContext: new (options: MediaContextOptions) => MediaContext;
}

export interface MediaContextOptions {
  readonly model: string;
  readonly n_ctx: number;
  readonly n_batch: number;
  readonly n_threads: number;
  readonly n_gpu_layers: number;
  readonly n_parallel: number;
  readonly use_mmap: boolean;
  /** Whether weights stay as they are in the file, so that their memory is shared with other processes. */
  readonly no_extra_bufts: boolean;
}

export interface MediaContext {
  /** @returns whether the projector could be loaded */
  initMultimodal(options: { readonly path: string; readonly use_gpu: boolean }): boolean;
  getMultimodalSupport(): { readonly vision: boolean; readonly audio: boolean };
  /** The prompt's tokens, with as many of -1 for each medium as it becomes; decodes the media. */
  tokenize(
    prompt: string,
    media: string[],
  ): Promise<{ readonly tokens: Int32Array; readonly bitmap_hashes: readonly string[] }>;
  /** Forgets all KV. */
  clearCache(clearsData: boolean): void;
  /** One at a time. After one that fails, the context takes no more. */
  completion(
    options: CompletionOptions & { prompt: string; media_paths: string[]; n_predict: number },
    onText: (piece: { readonly token: string }) => void,
  ): Promise<CompletionResult>;
  stopCompletion(): void;
}

/** Sampling. All are given, because some defaults change every answer: XTC is on, for one. */
export interface CompletionOptions {
  readonly temperature: number;
  readonly top_k: number;
  readonly top_p: number;
  readonly min_p: number;
  readonly penalty_last_n: number;
  readonly penalty_repeat: number;
  readonly penalty_freq: number;
  readonly penalty_present: number;
  readonly xtc_probability: 0;
  readonly dry_multiplier: 0;
  readonly seed: number;
  readonly ignore_eos: boolean;
  readonly grammar?: string;
}

export interface CompletionResult {
  readonly text: string;
  readonly stopped_eos: boolean;
}

/** What stands in a prompt for each medium. */
export const MARKER = "<__media__>";

/** The version that the engine is tested with. */
export const BINDING_VERSION = "1.7.15";
const PACKAGE = `@fugood/node-llama-${process.platform}-${process.arch}`;

/**
 * Finds the binding where Stator's own packages are, in the working directory, or beside the model.
 * @returns its path
 * @throws Error that says how to install it
 */
export function findMediaBinding(modelFolder: string): string {
  for (const folder of [import.meta.dirname, process.cwd(), modelFolder]) {
    try {
      return createRequire(join(folder, "package.json")).resolve(PACKAGE);
    } catch {
      // It may be in the next one.
    }
  }
  throw new Error(
    `A llama worker with --mmproj computes with ${PACKAGE}, which is not installed. Run: npm install --prefix ${modelFolder} --ignore-scripts ${PACKAGE}@${BINDING_VERSION}`,
  );
}

/** @throws Error if the file is not the binding, or cannot be loaded on this machine */
export function loadMediaBinding(path: string): MediaBinding {
  const module: unknown = createRequire(path)(path);
  if (isBinding(module)) return module;
  throw new Error(`${path} is not llama.cpp with media; install ${PACKAGE}@${BINDING_VERSION}.`);
}

const isBinding = (module: unknown): module is MediaBinding =>
  typeof module === "object" &&
  module !== null &&
  "LlamaContext" in module &&
  typeof module.LlamaContext === "function";
