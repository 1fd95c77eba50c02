import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { seededRandom } from "#runtime";
import {
  boolEntry,
  floatEntry,
  floatsEntry,
  ggufTensors,
  int32sEntry,
  type Tensor,
  textEntry,
  textsEntry,
  uint32Entry,
} from "../test-gguf.ts";

// Tiny models with random weights of families whose media take positions, or are seen, unlike tokens. The names of keys and
// tensors are those of llama.cpp's `src/llama-arch.cpp` and `tools/mtmd/clip-impl.h`.

/** A language model and its projector. */
export interface VisionModel {
  readonly modelPath: string;
  readonly mmproj: string;
}

const [WIDTH, INNER, LAYERS, HEADS] = [64, 96, 2, 4];
const CONTEXT = 2048;
const [VISION_WIDTH, VISION_INNER, VISION_BLOCKS] = [64, 96, 2];

/** A Qwen2-VL, whose rows of media have positions in three dimensions (M-RoPE). */
export function tinyQwen2Vl(folder: string): Promise<VisionModel> {
  const [model, vision] = [new Tensors(3), new Tensors(4)];
  for (let layer = 0; layer < LAYERS; layer++) {
    addAttention(model, layer, WIDTH);
    for (const part of ["attn_q", "attn_k", "attn_v"]) model.vector(`blk.${layer}.${part}.bias`, WIDTH);
  }
  const PATCH = 4;
  for (const suffix of ["weight", "weight.1"])
    vision.tensor(`v.patch_embd.${suffix}`, [PATCH, PATCH, 3, VISION_WIDTH]);
  addVisionBlocks(vision);
  vision.norm("v.post_ln");
  // Four neighbours become one row.
  vision.linear("mm.0", VISION_WIDTH * 4, VISION_WIDTH * 4);
  vision.linear("mm.2", VISION_WIDTH * 4, WIDTH);
  return write(folder, "qwen2vl", {
    model: [
      ...languageEntries("qwen2vl"),
      int32sEntry("qwen2vl.rope.dimension_sections", [2, 3, 3, 0]),
      floatEntry("qwen2vl.rope.freq_base", 10_000),
    ],
    vision: [
      ...visionEntries("qwen2vl_merger", 64, PATCH),
      uint32Entry("clip.vision.spatial_merge_size", 2),
      // The least and the most pixels of a picture.
      ...[
        uint32Entry("clip.vision.image_min_pixels", 32 * 32),
        uint32Entry("clip.vision.image_max_pixels", 128 * 128),
      ],
    ],
    tensors: { model, vision },
  });
}

/** A Gemma 3, whose rows of a picture all see each other, and whose layers see a part of the prompt. */
export function tinyGemma3(folder: string): Promise<VisionModel> {
  const [model, vision] = [new Tensors(5), new Tensors(6)];
  for (let layer = 0; layer < LAYERS; layer++) {
    addAttention(model, layer, WIDTH);
    for (const part of ["attn_q_norm", "attn_k_norm"])
      model.scale(`blk.${layer}.${part}.weight`, WIDTH / HEADS);
    // Attention counts for so much that it matters what a row of a picture sees.
    model.scale(`blk.${layer}.post_attention_norm.weight`, WIDTH, 8);
    model.scale(`blk.${layer}.post_ffw_norm.weight`, WIDTH);
  }
  const [SIZE, PATCH] = [64, 4];
  vision.tensor("v.patch_embd.weight", [PATCH, PATCH, 3, VISION_WIDTH]);
  vision.vector("v.patch_embd.bias", VISION_WIDTH);
  vision.tensor("v.position_embd.weight", [VISION_WIDTH, (SIZE / PATCH) ** 2]);
  addVisionBlocks(vision);
  vision.norm("v.post_ln");
  vision.tensor("mm.input_projection.weight", [WIDTH, VISION_WIDTH]);
  vision.scale("mm.soft_emb_norm.weight", VISION_WIDTH);
  return write(folder, "gemma3", {
    model: [
      ...languageEntries("gemma3"),
      uint32Entry("gemma3.attention.key_length", WIDTH / HEADS),
      uint32Entry("gemma3.attention.value_length", WIDTH / HEADS),
      uint32Entry("gemma3.attention.sliding_window", 16),
      floatEntry("gemma3.rope.freq_base", 10_000),
    ],
    vision: visionEntries("gemma3", SIZE, PATCH),
    tensors: { model, vision },
  });
}

/** A model with the encoder of Qwen2-Audio: Whisper's. */
export function tinyQwen2Audio(folder: string): Promise<VisionModel> {
  const [model, hearing] = [new Tensors(7), new Tensors(8)];
  for (let layer = 0; layer < LAYERS; layer++) {
    addAttention(model, layer, WIDTH);
    for (const part of ["attn_q", "attn_k", "attn_v"]) model.vector(`blk.${layer}.${part}.bias`, WIDTH);
  }
  const [MEL_BINS, SPECTRA] = [128, 1500];
  for (const [index, from] of [MEL_BINS, VISION_WIDTH].entries()) {
    hearing.tensor(`a.conv1d.${index + 1}.weight`, [3, from, VISION_WIDTH], 16);
    hearing.tensor(`a.conv1d.${index + 1}.bias`, [1, VISION_WIDTH]);
  }
  hearing.tensor("a.position_embd.weight", [VISION_WIDTH, SPECTRA]);
  addVisionBlocks(hearing, "a");
  hearing.norm("a.post_ln");
  hearing.linear("mm.a.fc", VISION_WIDTH, WIDTH);
  return write(folder, "qwen2audio", {
    model: [...languageEntries("qwen2"), floatEntry("qwen2.rope.freq_base", 10_000)],
    vision: [
      textEntry("general.architecture", "clip"),
      boolEntry("clip.has_audio_encoder", true),
      textEntry("clip.projector_type", "qwen2a"),
      uint32Entry("general.file_type", 0),
      uint32Entry("clip.audio.num_mel_bins", MEL_BINS),
      uint32Entry("clip.audio.embedding_length", VISION_WIDTH),
      uint32Entry("clip.audio.feed_forward_length", VISION_INNER),
      uint32Entry("clip.audio.projection_dim", WIDTH),
      uint32Entry("clip.audio.block_count", VISION_BLOCKS),
      uint32Entry("clip.audio.attention.head_count", HEADS),
      floatEntry("clip.audio.attention.layer_norm_epsilon", 1e-5),
    ],
    tensors: { model, vision: hearing },
  });
}

/** Tensors with random values, alike in every run. */
class Tensors {
  readonly all: Tensor[] = [];
  readonly #random: () => number;

  constructor(seed: number) {
    const random = seededRandom(seed);
    this.#random = () => random() - 0.5;
  }

  tensor(name: string, dimensions: readonly number[], bits: 16 | 32 = 32): void {
    this.#add(name, dimensions, this.#random, bits);
  }

  vector(name: string, length: number): void {
    this.#add(name, [length], this.#random);
  }

  scale(name: string, length: number, value = 1): void {
    this.#add(name, [length], () => value);
  }

  norm(name: string): void {
    this.scale(`${name}.weight`, VISION_WIDTH);
    this.vector(`${name}.bias`, VISION_WIDTH);
  }

  linear(name: string, from: number, to: number): void {
    this.tensor(`${name}.weight`, [from, to]);
    this.vector(`${name}.bias`, to);
  }

  #add(name: string, dimensions: readonly number[], next: () => number, bits: 16 | 32 = 32): void {
    const length = dimensions.reduce((product, each) => product * each, 1);
    this.all.push({ name, dimensions, values: Float32Array.from({ length }, next), bits });
  }
}

function addAttention(model: Tensors, layer: number, width: number): void {
  const name = (part: string) => `blk.${layer}.${part}.weight`;
  for (const part of ["attn_norm", "ffn_norm"]) model.scale(name(part), width);
  for (const part of ["attn_q", "attn_k", "attn_v", "attn_output"]) model.tensor(name(part), [width, width]);
  for (const part of ["ffn_gate", "ffn_up"]) model.tensor(name(part), [width, INNER]);
  model.tensor(name("ffn_down"), [INNER, width]);
}

function addVisionBlocks(vision: Tensors, kind: "v" | "a" = "v"): void {
  for (let block = 0; block < VISION_BLOCKS; block++) {
    // Whisper's keys have no bias.
    if (kind === "a") vision.tensor(`a.blk.${block}.attn_k.weight`, [VISION_WIDTH, VISION_WIDTH]);
    else vision.linear(`v.blk.${block}.attn_k`, VISION_WIDTH, VISION_WIDTH);
    for (const part of ["attn_q", "attn_v", "attn_out"])
      vision.linear(`${kind}.blk.${block}.${part}`, VISION_WIDTH, VISION_WIDTH);
    for (const part of ["ln1", "ln2"]) vision.norm(`${kind}.blk.${block}.${part}`);
    vision.linear(`${kind}.blk.${block}.ffn_up`, VISION_WIDTH, VISION_INNER);
    vision.linear(`${kind}.blk.${block}.ffn_down`, VISION_INNER, VISION_WIDTH);
  }
}

const CONTROL = 3;
const CONTROL_TOKENS = [
  ...["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"],
  ...["<start_of_image>", "<end_of_image>"],
];

/** A token for each byte, as GPT-2 writes them, one pair, and control tokens. */
function vocabulary() {
  const printable = (byte: number) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  const bytes = Array.from({ length: 256 }, (_, byte) =>
    String.fromCodePoint(printable(byte) ? byte : next++),
  );
  const plain = [...bytes, "ab"];
  const end = plain.length;
  return {
    tokens: [...plain, ...CONTROL_TOKENS],
    types: [...plain.map(() => 1), ...CONTROL_TOKENS.map(() => CONTROL)],
    end,
  };
}

function languageEntries(architecture: string): Buffer[] {
  const { tokens, types, end } = vocabulary();
  return [
    textEntry("general.architecture", architecture),
    textEntry("general.name", `Tiny ${architecture}`),
    uint32Entry("general.file_type", 0),
    uint32Entry(`${architecture}.context_length`, CONTEXT),
    uint32Entry(`${architecture}.embedding_length`, WIDTH),
    uint32Entry(`${architecture}.block_count`, LAYERS),
    uint32Entry(`${architecture}.feed_forward_length`, INNER),
    uint32Entry(`${architecture}.attention.head_count`, HEADS),
    uint32Entry(`${architecture}.attention.head_count_kv`, HEADS),
    floatEntry(`${architecture}.attention.layer_norm_rms_epsilon`, 1e-6),
    textEntry("tokenizer.ggml.model", "gpt2"),
    textEntry("tokenizer.ggml.pre", "qwen2"),
    textsEntry("tokenizer.ggml.tokens", tokens),
    int32sEntry("tokenizer.ggml.token_type", types),
    textsEntry("tokenizer.ggml.merges", ["a b"]),
    uint32Entry("tokenizer.ggml.eos_token_id", end),
    boolEntry("tokenizer.ggml.add_bos_token", false),
  ];
}

function visionEntries(type: string, size: number, patch: number): Buffer[] {
  return [
    textEntry("general.architecture", "clip"),
    boolEntry("clip.has_vision_encoder", true),
    textEntry("clip.projector_type", type),
    uint32Entry("general.file_type", 0),
    boolEntry("clip.use_gelu", true),
    uint32Entry("clip.vision.image_size", size),
    uint32Entry("clip.vision.patch_size", patch),
    uint32Entry("clip.vision.embedding_length", VISION_WIDTH),
    uint32Entry("clip.vision.feed_forward_length", VISION_INNER),
    uint32Entry("clip.vision.projection_dim", WIDTH),
    uint32Entry("clip.vision.block_count", VISION_BLOCKS),
    uint32Entry("clip.vision.attention.head_count", HEADS),
    floatEntry("clip.vision.attention.layer_norm_epsilon", 1e-6),
    floatsEntry("clip.vision.image_mean", [0.5, 0.5, 0.5]),
    floatsEntry("clip.vision.image_std", [0.5, 0.5, 0.5]),
  ];
}

async function write(
  folder: string,
  name: string,
  {
    model,
    vision,
    tensors,
  }: {
    readonly model: readonly Buffer[];
    readonly vision: readonly Buffer[];
    readonly tensors: { readonly model: Tensors; readonly vision: Tensors };
  },
): Promise<VisionModel> {
  const { length } = vocabulary().tokens;
  tensors.model.tensor("token_embd.weight", [WIDTH, length]);
  tensors.model.scale("output_norm.weight", WIDTH);
  tensors.model.tensor("output.weight", [WIDTH, length]);
  const [modelPath, mmproj] = [join(folder, `${name}.gguf`), join(folder, `${name}-mmproj.gguf`)];
  await writeFile(modelPath, ggufTensors(model, tensors.model.all));
  await writeFile(mmproj, ggufTensors(vision, tensors.vision.all));
  return { modelPath, mmproj };
}
