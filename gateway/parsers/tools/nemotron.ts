import { readCallObjects } from "../reading/json-call.ts";
import type { ToolFormat } from "../types.ts";

const BEGIN = "<TOOLCALL>";
const END = "</TOOLCALL>";

/**
 * `<TOOLCALL>[{"name": …, "arguments": {…}}]</TOOLCALL>`: Llama Nemotron and Nemotron Nano 2. Nemotron 3 writes as
 * Qwen3-Coder does.
 * Source: https://huggingface.co/nvidia/NVIDIA-Nemotron-Nano-9B-v2 and its chat template.
 */
export const nemotron: ToolFormat = {
  name: "nemotron",
  matches: ({ template }) => template.includes(BEGIN),
  begins: [BEGIN],
  ends: [END],
  syntax: { begins: [BEGIN], forms: [{ kind: "list", end: END }] },
  controls: [BEGIN, END],
  *read(reader, calls) {
    yield* readCallObjects(reader, calls);
    yield* reader.skipSpace();
    yield* reader.tryText(END);
  },
};
