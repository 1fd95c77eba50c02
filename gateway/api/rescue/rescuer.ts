import { type Schema, Validator } from "@cfworker/json-schema";
import { isRecord, jsonOf, recordsOf } from "../../kernel/json.ts";
import { type AnswerFormats, AnswerParser } from "../../parsers/answer-parser.ts";
import type { ToolFormat, ToolFunction } from "../../parsers/types.ts";
import { newCallId } from "../openai/call-id.ts";

/** The fields of a chat's message or delta that say something. */
export interface Said {
  readonly content?: string;
  readonly reasoning_content?: string;
  readonly reasoning?: string;
  readonly tool_calls?: readonly SaidCall[];
}

interface SaidCall {
  readonly index: number;
  readonly id: string;
  readonly type: "function";
  readonly function: { readonly name: string; readonly arguments: string };
}

/** Finds what an engine should have parsed in the text of one choice. */
export class Rescuer {
  readonly #parser: AnswerParser;
  #said: Said[] = [];
  /** How many calls have been found. */
  calls = 0;
  #call = { id: "", name: "" };

  constructor(formats: AnswerFormats) {
    this.#parser = new AnswerParser(formats, false, {
      text: (content) => this.#said.push({ content }),
      reasoning: (text) => this.#said.push({ reasoning_content: text, reasoning: text }),
      begin: (name, id) => {
        this.#call = { name, id: id ?? newCallId() };
      },
      // Checked calls come in one piece.
      arguments: (json) => this.#said.push({ tool_calls: [this.#newCall(json)] }),
      end: () => {},
    });
  }

  /** Whether it holds nothing back, so that it need not see text without markers. */
  get isIdle(): boolean {
    return this.calls === 0 && this.#parser.isIdle;
  }

  /** What a piece of text turns out to say; it may be held back. */
  push(text: string): readonly Said[] {
    this.#parser.push(text);
    return this.#take();
  }

  /** What was held back, once the answer is over. */
  end(): readonly Said[] {
    this.#parser.end();
    return this.#take();
  }

  #newCall(json: string): SaidCall {
    const { id, name } = this.#call;
    return { index: this.calls++, id, type: "function", function: { name, arguments: json } };
  }

  #take(): readonly Said[] {
    const said = this.#said;
    this.#said = [];
    return said;
  }
}

/**
 * How the answers to a chat request are read.
 * @param json the request
 * @returns undefined if there is nothing to find
 */
export function formatsFor(
  json: Readonly<Record<string, unknown>>,
  formats: Pick<AnswerFormats, "reasoning"> & { readonly tools: ToolFormat | undefined },
): AnswerFormats | undefined {
  const functions = json.tool_choice === "none" ? [] : toolsOf(json.tools);
  const calls =
    formats.tools === undefined || functions.length === 0
      ? undefined
      : { format: formats.tools, tools: new Map(functions), accepts: acceptance(functions) };
  if (calls === undefined && formats.reasoning === undefined) return undefined;
  return { calls, reasoning: formats.reasoning };
}

function toolsOf(tools: unknown): [string, ToolFunction][] {
  return (recordsOf(tools) ?? []).flatMap(({ function: tool }) =>
    isRecord(tool) && typeof tool.name === "string"
      ? [[tool.name, { name: tool.name, parameters: tool.parameters ?? {} }]]
      : [],
  );
}

/** Accepts calls of these functions whose arguments match their schema. */
function acceptance(functions: readonly [string, ToolFunction][]) {
  const validators = new Map<string, Validator | undefined>();
  const schemas = new Map(functions);
  return (name: string, json: string): boolean => {
    const tool = schemas.get(name);
    const args = jsonOf(json);
    if (tool === undefined || !isRecord(args)) return false;
    if (!validators.has(name)) validators.set(name, validatorOf(tool.parameters));
    return validators.get(name)?.validate(args).valid !== false;
  };
}

/** Undefined for something that is no schema: the engine has accepted it. */
function validatorOf(schema: unknown): Validator | undefined {
  if (!isRecord(schema)) return undefined;
  try {
    return new Validator(schema as Schema, "2020-12");
  } catch {
    return undefined;
  }
}
