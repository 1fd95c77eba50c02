import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { defaultModelFolder, fetchModel } from "#cli";
import { seededRandom } from "#runtime";
import { floatEntry, ggufFile, type Matrix, textEntry } from "../test-gguf.ts";

/** The default model's sizes. */
const LAYERS = 30;
const WIDTH = 576;
const RANK = 4;

export interface LoraFileOptions {
  /** Adapters of different seeds give different answers. */
  readonly seed?: number;
  readonly architecture?: string;
  readonly width?: number;
  /** Default 16: as strong as an adapter that has learnt something. */
  readonly alpha?: number;
}

/** The path of the default model. */
export const defaultModel = async (): Promise<string> =>
  (await fetchModel(undefined, { folder: defaultModelFolder() })).path;

/**
 * A LoRA adapter for the default model, in the form in which llama.cpp reads them, with random weights for the queries
 * and the output of attention.
 * @param folder where to put it
 * @returns its path
 */
export async function loraFile(folder: string, options: LoraFileOptions = {}): Promise<string> {
  const { seed = 1, architecture = "llama", width = WIDTH, alpha = 16 } = options;
  const random = seededRandom(seed);
  const matrix = (name: string, columns: number, rows: number): Matrix => ({
    ...{ name, columns, rows },
    values: Float32Array.from({ length: columns * rows }, () => (random() - 0.5) / 4),
  });
  const matrices = Array.from({ length: LAYERS }, (_, layer) =>
    ["attn_q", "attn_output"].flatMap((part) => [
      matrix(`blk.${layer}.${part}.weight.lora_a`, width, RANK),
      matrix(`blk.${layer}.${part}.weight.lora_b`, RANK, width),
    ]),
  ).flat();
  const entries = [
    textEntry("general.type", "adapter"),
    textEntry("general.architecture", architecture),
    textEntry("adapter.type", "lora"),
    floatEntry("adapter.lora.alpha", alpha),
  ];
  const path = join(folder, `lora-${seed}-${architecture}-${width}.gguf`);
  await writeFile(path, ggufFile(entries, matrices));
  return path;
}
