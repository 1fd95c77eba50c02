import { z } from "zod";
import { REASONING_PARSERS, TOOL_PARSERS } from "#gateway/choices";
import { adapters, choice, list, number, optionalChoice, text, toggle } from "../spec.ts";

export const modelFolder = text({
  describe: "Folder for downloaded models. Default: ~/.cache/stator/models.",
  placeholder: "DIR",
});

/** The model of a worker, and how its engine runs it. */
export const model = {
  model: text({
    describe:
      "Name such as qwen3:0.6b (stator models), GGUF file, https: URL, or hf:owner/repo[@rev]/file.gguf. Default: smollm2:135m.",
    placeholder: "MODEL",
  }),
  "model-name": text({
    describe: "The model's name in the API. Default: that of --model, or the file's.",
    placeholder: "NAME",
  }),
  alias: list({ describe: "Additional names of the model." }),
  "tool-parser": optionalChoice(TOOL_PARSERS, {
    describe: "Format of the model's tool calls; see docs/api.md. Default: by its chat template and name.",
    placeholder: "NAME",
  }),
  "reasoning-parser": optionalChoice(REASONING_PARSERS, {
    describe: "Format of the model's reasoning; see docs/api.md. Default: by its chat template and name.",
    placeholder: "NAME",
  }),
  "model-folder": modelFolder,
  "context-length": number({
    describe:
      "Longest prompt plus answer in tokens. Default: the model's own, at most 4,096. llama.cpp rounds up to multiples of 256.",
    min: 16,
  }),
  mmproj: text({
    describe:
      "The model's projector, with which a llama worker takes images or audio; named like the model. See docs/multimodal.md.",
    placeholder: "FILE",
  }),
  lora: adapters({
    describe: "LoRA adapters of the model, GGUF files; requests name them as models. See docs/lora.md.",
    placeholder: "NAME=PATH,…",
  }),
  "lora-updates": toggle(
    "Lets gateways load and unload LoRA adapters while the worker runs, from any file that it can read.",
  ),
  "max-loras": number({
    describe: "LoRA adapters that a llama worker keeps in memory at once, each with KV memory of its own.",
    default: 4,
    min: 1,
    max: 256,
  }),
  sequences: number({
    describe: "Concurrent requests per worker. Default: 4 (llama, moonshine).",
    min: 1,
    max: 4096,
  }),
  gpu: choice(["off", "auto", "cuda", "vulkan", "metal"], {
    describe: "Lets llama.cpp use a GPU; cuda and vulkan builds are downloaded on first use.",
    default: "off",
  }),
  delay: number({
    describe: "Milliseconds between two tokens of the echo engine.",
    default: 0,
    min: 0,
    int: false,
  }),
  tag: list({
    describe: "Tag by which requests can select the worker; repeatable.",
    placeholder: "KEY=VALUE",
    item: z.string().regex(/^[^=,\s]+=[^,\s]+$/, "it must be key=value, such as gpu=h100"),
  }),
  tokenizer: text({ describe: "tokenizer.json, for engines without a tokenizer.", placeholder: "FILE" }),
};
