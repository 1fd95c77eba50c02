import { qwen3 } from "./reasoning/qwen3.ts";
import { hermes } from "./tools/hermes.ts";
import type { FormatHints, ReasoningFormat, ToolFormat } from "./types.ts";

/** The more specific formats come first. */
export const TOOL_FORMATS: readonly ToolFormat[] = [hermes];

/** The more specific formats come first. */
export const REASONING_FORMATS: readonly ReasoningFormat[] = [qwen3];

/** The format in which a model writes tool calls; undefined if it is not known to. */
export const toolFormatOf = (hints: FormatHints): ToolFormat | undefined =>
  TOOL_FORMATS.find((format) => format.matches(hints));

/** The format in which a model marks its reasoning; undefined if it is not known to reason. */
export const reasoningFormatOf = (hints: FormatHints): ReasoningFormat | undefined =>
  REASONING_FORMATS.find((format) => format.matches(hints));

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
