import type { EngineSide } from "../../models/model.ts";
import {
  chosenFormat,
  REASONING_FORMATS,
  reasoningFormatOf,
  TOOL_FORMATS,
  toolFormatOf,
} from "../../parsers/formats.ts";
import { qwen3 } from "../../parsers/reasoning/qwen3.ts";
import { hermes } from "../../parsers/tools/hermes.ts";

/** How answers of engines are read: `none`, `auto` or the name of a format. */
export interface RescueOptions {
  readonly toolParser: string;
  readonly reasoningParser: string;
}

export const NO_RESCUE: RescueOptions = { toolParser: "none", reasoningParser: "none" };

/** The formats of a model, by what its engines report of it. */
export function rescueFormats({ toolParser, reasoningParser }: RescueOptions, engines: EngineSide) {
  const [member] = engines.members();
  const hints = {
    template: member?.model.chatTemplate ?? "",
    model: `${engines.name} ${member?.model.source ?? ""}`.toLowerCase(),
  };
  return {
    tools: chosenFormat(TOOL_FORMATS, toolParser, () => toolFormatOf(hints) ?? hermes),
    reasoning: chosenFormat(REASONING_FORMATS, reasoningParser, () => reasoningFormatOf(hints) ?? qwen3),
  };
}
