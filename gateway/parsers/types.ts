import type { CallSyntax } from "../grammars/index.ts";
import type { Step, TextReader } from "./reading/text-reader.ts";

/** Receives the parts of an answer in their order, each in pieces. */
export interface AnswerSink extends TextSink, CallSink {}

export interface TextSink {
  /** Text outside reasoning and calls. */
  text(text: string): void;
  reasoning(text: string): void;
}

/** Receives tool calls, one after the other. */
export interface CallSink {
  /** @param id as the model wrote it; undefined if its format has none */
  begin(name: string, id?: string): void;
  /** A piece of the call's arguments, which together are one JSON object. */
  arguments(json: string): void;
  /** @param isBroken whether the model broke off or wrote nonsense, so that the arguments may not be valid JSON */
  end(isBroken?: boolean): void;
}

/** A function that the model may call. */
export interface ToolFunction {
  readonly name: string;
  /** JSON Schema of its arguments. */
  readonly parameters: unknown;
  /** Whether its arguments must match the schema. */
  readonly isStrict?: boolean | undefined;
}

/** Functions by name. */
export type Tools = ReadonlyMap<string, ToolFunction>;

/** What a model's formats are chosen by. */
export interface FormatHints {
  /** Jinja source of its chat template. */
  readonly template: string;
  /** Its name, in lower case. */
  readonly model: string;
}

/** How a family of models writes tool calls. One file each in `tools/`, and one line in `formats.ts`. */
export interface ToolFormat {
  /** For `--tool-parser`. */
  readonly name: string;
  /** Whether the model's calls look like this. The first format that matches is used. */
  matches(hints: FormatHints): boolean;
  /** Texts that begin calls wherever they appear. */
  readonly begins: readonly string[];
  /** Texts that begin calls only where the answer begins, because they also appear in ordinary text: a brace, say. */
  readonly opens?: readonly string[];
  /**
   * Texts that end calls. What is left of a malformed call up to here is passed on as it is. Those that are `controls`
   * too are dropped wherever they are after a call.
   */
  readonly ends?: readonly string[];
  /** How calls are written, if their arguments are JSON: the arguments of strict functions then match their schema. */
  readonly syntax?: CallSyntax;
  /** Control tokens of the model that the format needs to see; others are not part of an answer's text. */
  readonly controls?: readonly string[];
  /**
   * Reads calls, from after the text that began them (of `opens`: from before it) to after the text that ends them.
   * @throws Nonsense where they are malformed: if no call has begun, it is ordinary text
   */
  read(reader: TextReader, calls: CallSink, context: CallContext): Step<void>;
}

export interface CallContext {
  readonly tools: Tools;
  /** Which of the texts began the calls. */
  readonly begin: string;
}

/** How a family of models marks reasoning. One file each in `reasoning/`, and one line in `formats.ts`. */
export interface ReasoningFormat {
  /** For `--reasoning-parser`. */
  readonly name: string;
  matches(hints: FormatHints): boolean;
  /** The text with which a model begins its reasoning itself; undefined if there are several, or none. */
  readonly begin?: string | undefined;
  /** The text that ends reasoning. */
  readonly end: string;
  /** See `ToolFormat.controls`. */
  readonly controls?: readonly string[];
  /**
   * Whether an answer begins in the middle of reasoning.
   * @param prompt the prompt's text
   */
  beginsInside(prompt: string): boolean;
  /**
   * Reads an answer up to where no more reasoning can follow; the rest is text. Does not throw. Passes on an empty text
   * where reasoning begins and where it ends, so that its tokens can be counted.
   */
  read(reader: TextReader, sink: TextSink, context: ReasoningContext): Step<void>;
}

export interface ReasoningContext {
  /** Whether the answer begins in the middle of reasoning. */
  readonly isInside: boolean;
  /** The calls that are then looked for in the text. Undefined if the model may call nothing. */
  readonly calls?: CallFormat | undefined;
}

export interface CallFormat {
  readonly format: ToolFormat;
  readonly tools: Tools;
  /**
   * Whether a text that looks like a call is one; if not, it stays text. Calls are then passed on once they are complete.
   * Default: all are, and are passed on as they come.
   */
  accepts?(name: string, json: string): boolean;
}
