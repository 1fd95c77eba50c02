import { deepseekR1 } from "./reasoning/deepseek-r1.ts";
import { deepseekV31Reasoning } from "./reasoning/deepseek-v3.1.ts";
import { gemmaReasoning } from "./reasoning/gemma.ts";
import { glm45Reasoning } from "./reasoning/glm-4.5.ts";
import { gptOss } from "./reasoning/gpt-oss.ts";
import { graniteReasoning } from "./reasoning/granite.ts";
import { kimiK2Reasoning } from "./reasoning/kimi-k2.ts";
import { minimaxM2Reasoning } from "./reasoning/minimax-m2.ts";
import { mistralReasoning } from "./reasoning/mistral.ts";
import { qwen3 } from "./reasoning/qwen3.ts";
import { deepseekV31 } from "./tools/deepseek-v3.1.ts";
import { deepseekV32 } from "./tools/deepseek-v3.2.ts";
import { deepseekV3 } from "./tools/deepseek-v3.ts";
import { gemma } from "./tools/gemma.ts";
import { glm45 } from "./tools/glm-4.5.ts";
import { granite } from "./tools/granite.ts";
import { harmony } from "./tools/harmony.ts";
import { hermes } from "./tools/hermes.ts";
import { json } from "./tools/json.ts";
import { kimiK2 } from "./tools/kimi-k2.ts";
import { llama3Json } from "./tools/llama3-json.ts";
import { llama4Pythonic } from "./tools/llama4-pythonic.ts";
import { minimaxM2 } from "./tools/minimax-m2.ts";
import { mistral } from "./tools/mistral.ts";
import { nemotron } from "./tools/nemotron.ts";
import { phi4 } from "./tools/phi-4.ts";
import { qwen3Coder } from "./tools/qwen3-coder.ts";
import type { FormatHints, ReasoningFormat, ToolFormat } from "./types.ts";

/** The more specific formats come first. */
export const TOOL_FORMATS: readonly ToolFormat[] = [
  harmony,
  deepseekV32,
  deepseekV3,
  deepseekV31,
  kimiK2,
  minimaxM2,
  glm45,
  qwen3Coder,
  nemotron,
  mistral,
  gemma,
  granite,
  phi4,
  llama4Pythonic,
  llama3Json,
  hermes,
  json,
];

/** The more specific formats come first. */
export const REASONING_FORMATS: readonly ReasoningFormat[] = [
  gptOss,
  gemmaReasoning,
  mistralReasoning,
  graniteReasoning,
  minimaxM2Reasoning,
  kimiK2Reasoning,
  glm45Reasoning,
  deepseekV31Reasoning,
  deepseekR1,
  qwen3,
];

/** The format in which a model writes tool calls; undefined if it is not known to. */
export const toolFormatOf = (hints: FormatHints): ToolFormat | undefined => choose(TOOL_FORMATS, hints);

/** The format in which a model marks its reasoning; undefined if it is not known to reason. */
export const reasoningFormatOf = (hints: FormatHints): ReasoningFormat | undefined =>
  choose(REASONING_FORMATS, hints);

/** The template decides; names only where it says nothing, because models are trained anew under old names. */
function choose<T extends Pick<ToolFormat, "matches">>(
  formats: readonly T[],
  hints: FormatHints,
): T | undefined {
  const byTemplate = formats.find((format) => format.matches({ ...hints, model: "" }));
  return byTemplate ?? formats.find((format) => format.matches(hints));
}

/** The value of `--tool-parser` and `--reasoning-parser` for a model whose answers are not to be read. */
export const NO_PARSER = "none";

/**
 * The format of this name; without a name, or for one that only a newer worker knows, the one that is found.
 * @returns undefined for `none`
 */
export function chosenFormat<Format extends { readonly name: string }>(
  formats: readonly Format[],
  name: string | undefined,
  find: () => Format | undefined,
): Format | undefined {
  if (name === NO_PARSER) return undefined;
  return formats.find((format) => format.name === name) ?? find();
}

/** The values of `--tool-parser`. */
export const TOOL_PARSERS = namesOf(TOOL_FORMATS);

/** The values of `--reasoning-parser`. */
export const REASONING_PARSERS = namesOf(REASONING_FORMATS);

function namesOf(formats: readonly { readonly name: string }[]): readonly [string, ...string[]] {
  return [NO_PARSER, ...formats.map(({ name }) => name).toSorted()];
}
