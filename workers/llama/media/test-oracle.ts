import { createRequire } from "node:module";
import { dirname } from "node:path";
import { findMediaPackages } from "./packages.ts";

/** The interface of the package with mtmd, which computes with code of its own. */
interface LlamaBinding {
  readonly LlamaContext: new (
    options: object,
  ) => {
    initMultimodal(options: object): boolean;
    tokenize(prompt: string, media: string[]): Promise<{ tokens: Int32Array; bitmap_hashes: string[] }>;
    clearCache(clearsData: boolean): void;
    completion(options: object, onText: () => void): Promise<{ text: string }>;
  };
}

/** What a prompt with a medium becomes, and how the model answers. */
export interface OracleAnswer {
  /** Tokens of the prompt, with the medium's; with M-RoPE, its positions. */
  readonly promptTokens: number;
  /** Equal only for equal media. */
  readonly hash: string;
  readonly text: string;
}

/**
 * Asks llama.cpp directly, by an interface that shares nothing with the workers' own.
 * @param files data: URLs of media, each of which is asked about
 */
export async function oracleAnswers(
  { modelPath, mmproj }: { readonly modelPath: string; readonly mmproj: string },
  [before, after]: readonly [before: string, after: string],
  files: readonly string[],
  maxTokens: number,
): Promise<OracleAnswer[]> {
  const { llama } = findMediaPackages(dirname(modelPath));
  const binding: LlamaBinding = createRequire(llama)(llama);
  const context = new binding.LlamaContext({
    ...{ model: modelPath, n_ctx: 2048, n_batch: 512, n_threads: 1, n_gpu_layers: 0, n_parallel: 1 },
    ...{ use_mmap: true, no_extra_bufts: true, swa_full: true },
  });
  if (!context.initMultimodal({ path: mmproj, use_gpu: false }))
    throw new Error("It cannot load the projector.");
  const answers: OracleAnswer[] = [];
  for (const file of files) {
    const prompt = `${before}<__media__>${after}`;
    const media = [file];
    const { tokens, bitmap_hashes } = await context.tokenize(prompt, media);
    context.clearCache(true);
    const { text } = await context.completion(
      {
        ...{ prompt, media_paths: media, n_predict: maxTokens, seed: 1, ignore_eos: false },
        ...{ temperature: 0, top_k: 0, top_p: 1, min_p: 0, xtc_probability: 0, dry_multiplier: 0 },
        ...{ penalty_last_n: 0, penalty_repeat: 1, penalty_freq: 0, penalty_present: 0 },
      },
      () => {},
    );
    answers.push({ promptTokens: tokens.length, hash: bitmap_hashes.join(), text });
  }
  return answers;
}
