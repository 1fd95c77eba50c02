import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  boolEntry,
  floatEntry,
  floatsEntry,
  ggufTensors,
  type Tensor,
  textEntry,
  uint32Entry,
} from "../test-gguf.ts";

/** The width of SmolLM2-135M. */
const MODEL = 576;
const [SIZE, PATCH, WIDTH, INNER, BLOCKS, HEADS] = [64, 16, 64, 128, 2, 4];

/** How many tokens a picture becomes. */
export const PICTURE_TOKENS = (SIZE / PATCH) ** 2;

/**
 * Writes a projector of random weights for SmolLM2-135M: what it sees means nothing, but it tells pictures apart.
 * The names are those of llama.cpp's `tools/mtmd/clip-impl.h`.
 */
export async function randomProjector(folder: string): Promise<string> {
  const random = randomNumbers();
  const tensors: Tensor[] = [];
  const add = (name: string, dimensions: readonly number[], next: () => number) => {
    const length = dimensions.reduce((product, each) => product * each, 1);
    tensors.push({ name, dimensions, values: Float32Array.from({ length }, next) });
  };
  const linear = (name: string, from: number, to: number) => {
    add(`${name}.weight`, [from, to], random);
    add(`${name}.bias`, [to], random);
  };
  const norm = (name: string) => {
    add(`${name}.weight`, [WIDTH], () => 1);
    add(`${name}.bias`, [WIDTH], random);
  };
  add("v.patch_embd.weight", [PATCH, PATCH, 3, WIDTH], random);
  add("v.patch_embd.bias", [WIDTH], random);
  add("v.position_embd.weight", [WIDTH, PICTURE_TOKENS], random);
  norm("v.pre_ln");
  norm("v.post_ln");
  for (let block = 0; block < BLOCKS; block++) {
    for (const part of ["attn_q", "attn_k", "attn_v", "attn_out"])
      linear(`v.blk.${block}.${part}`, WIDTH, WIDTH);
    for (const part of ["ln1", "ln2"]) norm(`v.blk.${block}.${part}`);
    linear(`v.blk.${block}.ffn_up`, WIDTH, INNER);
    linear(`v.blk.${block}.ffn_down`, INNER, WIDTH);
  }
  linear("mm.0", WIDTH, MODEL);
  linear("mm.2", MODEL, MODEL);
  const entries = [
    textEntry("general.architecture", "clip"),
    boolEntry("clip.has_vision_encoder", true),
    textEntry("clip.projector_type", "mlp"),
    uint32Entry("general.file_type", 0),
    boolEntry("clip.use_gelu", true),
    uint32Entry("clip.vision.image_size", SIZE),
    uint32Entry("clip.vision.patch_size", PATCH),
    uint32Entry("clip.vision.embedding_length", WIDTH),
    uint32Entry("clip.vision.feed_forward_length", INNER),
    uint32Entry("clip.vision.projection_dim", MODEL),
    uint32Entry("clip.vision.block_count", BLOCKS),
    uint32Entry("clip.vision.attention.head_count", HEADS),
    floatEntry("clip.vision.attention.layer_norm_epsilon", 1e-5),
    floatsEntry("clip.vision.image_mean", [0.5, 0.5, 0.5]),
    floatsEntry("clip.vision.image_std", [0.5, 0.5, 0.5]),
  ];
  const path = join(folder, "mmproj.gguf");
  await writeFile(path, ggufTensors(entries, tensors));
  return path;
}

/** Numbers from -1/4 to 1/4, alike in every run: the generator of C's standard, ISO/IEC 9899, 7.22.2. */
function randomNumbers(): () => number {
  let state = 7;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return state / 0x7fffffff / 2 - 0.25;
  };
}
