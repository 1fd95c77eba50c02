import {
  type Automaton,
  AutomatonError,
  acceptsNothing,
  intersect,
  withLength,
} from "../automata/automaton.ts";
import { FORMATS, formatAutomaton } from "../formats.ts";
import { automatonRules } from "../gbnf/automaton-rules.ts";
import { repeat, rule, type Sequence } from "../gbnf/rules.ts";
import { inString, type JsonRules } from "../json-rules.ts";
import { compilePattern } from "../regex/compile.ts";
import { countOf, textOf } from "./keywords.ts";
import { invalid, type Located, pathTo, type SchemaObject, unsupported } from "./located.ts";

/** Longest string that can be counted. */
const MOST_CHARACTERS = 1_000_000;

interface StringLimits {
  /** In characters. `most` can be infinite. */
  readonly least: number;
  readonly most: number;
  /** All of them must accept it. */
  readonly automata: readonly Automaton[];
}

/** What schemas demand of a string. @throws ApiError 400 for patterns and formats that cannot be honoured */
export function stringLimitsOf(schemas: readonly Located<SchemaObject>[]): StringLimits {
  const counts = (keyword: string) => schemas.flatMap((located) => countOf(located, keyword) ?? []);
  const least = Math.max(0, ...counts("minLength"));
  const most = Math.min(Number.POSITIVE_INFINITY, ...counts("maxLength"));
  const automata = schemas.flatMap((located) => [...patternsOf(located), ...formatsOf(located)]);
  return { least, most, automata };
}

/** The alternatives for a string; none if no string will do. */
export function stringRules(
  json: JsonRules,
  schemas: readonly Located<SchemaObject>[],
  hint: string,
): readonly Sequence[] {
  const { least, most, automata } = stringLimitsOf(schemas);
  const [first, ...others] = automata;
  if (most < least) return [];
  if (first === undefined) return plainString(json, least, most, schemas);
  const isBounded = least > 0 || most < Number.POSITIVE_INFINITY;
  try {
    const all = others.reduce(intersect, first);
    const automaton = isBounded ? withLength(all, least, most) : all;
    if (acceptsNothing(automaton)) return [];
    return [json.stringOf(rule(automatonRules(json.rules, automaton, hint, inString)))];
  } catch (error) {
    const keyword = TOGETHER.find((each) => schemas.some(({ schema }) => each in schema))!;
    const { path } = schemas.find(({ schema }) => keyword in schema)!;
    throw refusal(error, pathTo(path, keyword), "with pattern or format, it");
  }
}

/** Keywords that make patterns and formats larger, the most likely first. */
const TOGETHER = ["maxLength", "minLength", "pattern", "format"];

/** @returns the error for the client, if it is about an automaton; else the error itself */
function refusal(error: unknown, path: string, subject: string): unknown {
  return error instanceof AutomatonError ? unsupported(path, `${subject} ${error.message}.`) : error;
}

function plainString(
  json: JsonRules,
  least: number,
  most: number,
  schemas: readonly Located<SchemaObject>[],
): readonly Sequence[] {
  if (least === 0 && most === Number.POSITIVE_INFINITY) return [[json.string]];
  if (Math.max(least, most === Number.POSITIVE_INFINITY ? 0 : most) > MOST_CHARACTERS) {
    const keyword = least > MOST_CHARACTERS ? "minLength" : "maxLength";
    const { path } = schemas.find(({ schema }) => schema[keyword] !== undefined)!;
    throw invalid(pathTo(path, keyword), `at most ${MOST_CHARACTERS}`);
  }
  return [json.stringOf(repeat(json.character, least, most))];
}

function patternsOf(located: Located<SchemaObject>): Automaton[] {
  const pattern = textOf(located, "pattern");
  return pattern === undefined ? [] : [searchAutomaton(pattern, pathTo(located.path, "pattern"))];
}

/** The strings in which a pattern is found. @throws ApiError 400 for patterns that cannot be honoured */
export function searchAutomaton(pattern: string, path: string): Automaton {
  try {
    return compilePattern(pattern, true);
  } catch (error) {
    throw refusal(error, path, "the regular expression");
  }
}

/** Formats that say how a string is shown, not what it is. */
const HINTS = ["password"];

/** Whether a format says something of strings. */
export const isStringFormat = (format: string): boolean => FORMATS.includes(format) || HINTS.includes(format);

function formatsOf(located: Located<SchemaObject>): Automaton[] {
  const format = textOf(located, "format");
  if (format === undefined || HINTS.includes(format)) return [];
  const automaton = formatAutomaton(format);
  if (automaton !== undefined) return [automaton];
  const path = pathTo(located.path, "format");
  throw unsupported(path, `the formats are ${FORMATS.join(", ")}. Leave it out, or use a pattern.`);
}
