import { AutomatonError, acceptsNothing } from "../automata/automaton.ts";
import { automatonRules, plain } from "../gbnf/automaton-rules.ts";
import { rule, type Sequence } from "../gbnf/rules.ts";
import type { JsonRules } from "../json-rules.ts";
import { type Bound, type NumberLimits, numberAutomaton } from "../numbers.ts";
import { numberOf } from "./keywords.ts";
import { invalid, type Located, pathTo, type SchemaObject, unsupported } from "./located.ts";
import { isStringFormat } from "./strings.ts";

/** Most remainders that are told apart. */
const LARGEST_STEP = 100;

/** Bounds of integers: OpenAPI's formats, and those that generators write for other sizes. */
const FORMATS: Readonly<Record<string, readonly [least: number, most: number] | undefined>> = {
  int8: [-(2 ** 7), 2 ** 7 - 1],
  int16: [-(2 ** 15), 2 ** 15 - 1],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  int64: [-(2 ** 63), 2 ** 63],
  int: [-(2 ** 63), 2 ** 63],
  uint8: [0, 2 ** 8 - 1],
  uint16: [0, 2 ** 16 - 1],
  uint32: [0, 2 ** 32 - 1],
  uint64: [0, 2 ** 64],
  uint: [0, 2 ** 64],
};

/** Formats that say how precise a number is, which its digits do not tell. */
const HINTS = ["float", "double", "decimal"];

/** What schemas demand of a number. @throws ApiError 400 for what cannot be honoured */
export function limitsOf(schemas: readonly Located<SchemaObject>[], isInteger: boolean): NumberLimits {
  const least = schemas.flatMap((located) => boundsOf(located, "minimum", "exclusiveMinimum", 0));
  const most = schemas.flatMap((located) => boundsOf(located, "maximum", "exclusiveMaximum", 1));
  return {
    isInteger,
    least: least.reduce<Bound | undefined>((one, other) => tighter(one, other, 1), undefined),
    most: most.reduce<Bound | undefined>((one, other) => tighter(one, other, -1), undefined),
    multiple: schemas.map(multipleOf).reduce(common, undefined),
  };
}

/** The alternatives for a number; none if no number will do. */
export function numberRules(
  json: JsonRules,
  schemas: readonly Located<SchemaObject>[],
  isInteger: boolean,
  hint: string,
): readonly Sequence[] {
  const limits = limitsOf(schemas, isInteger);
  if (!limits.least && !limits.most && !limits.multiple) return [[isInteger ? json.integer : json.number]];
  const define = () => {
    try {
      const automaton = numberAutomaton(limits);
      return acceptsNothing(automaton) ? [] : [[rule(automatonRules(json.rules, automaton, hint, plain))]];
    } catch (error) {
      if (!(error instanceof AutomatonError)) throw error;
      throw unsupported(schemas[0]!.path, `its number ${error.message}.`);
    }
  };
  return [[rule(json.rules.share(`number ${JSON.stringify(limits)}`, hint, define))]];
}

/** Whether a number is within limits. */
export function isWithin(value: number, limits: NumberLimits): boolean {
  const { least, most, multiple } = limits;
  if (least && (value < least.value || (least.isExclusive && value === least.value))) return false;
  if (most && (value > most.value || (most.isExclusive && value === most.value))) return false;
  if (multiple === undefined) return true;
  const [, whole, part = ""] = /^-?(\d+)(?:\.(\d+))?$/.exec(String(value)) ?? [];
  const { step, decimals } = multiple;
  if (whole === undefined) return Number.isInteger(value / (step / 10 ** decimals));
  return (
    (BigInt(whole + part) * 10n ** BigInt(decimals)) % (BigInt(step) * 10n ** BigInt(part.length)) === 0n
  );
}

function boundsOf(
  located: Located<SchemaObject>,
  inclusive: string,
  exclusive: string,
  index: 0 | 1,
): Bound[] {
  const value = numberOf(located, inclusive);
  const formatBound = formatBounds(located)?.[index];
  const bounds = formatBound === undefined ? [] : [{ value: formatBound, isExclusive: false }];
  const strict = located.schema[exclusive];
  // In draft 4 and OpenAPI 3.0, it is a flag of the other keyword.
  if (typeof strict === "boolean")
    return value === undefined ? bounds : [...bounds, { value, isExclusive: strict }];
  const strictValue = numberOf(located, exclusive);
  if (strictValue !== undefined && Math.abs(strictValue) > Number.MAX_SAFE_INTEGER)
    throw invalid(pathTo(located.path, exclusive), "within the integers that a double can hold");
  return [
    ...bounds,
    ...(value === undefined ? [] : [{ value, isExclusive: false }]),
    ...(strictValue === undefined ? [] : [{ value: strictValue, isExclusive: true }]),
  ];
}

function formatBounds({ schema: { format }, path }: Located<SchemaObject>): (typeof FORMATS)[string] {
  if (typeof format !== "string" || HINTS.includes(format) || isStringFormat(format)) return undefined;
  const bounds = FORMATS[format];
  if (bounds !== undefined) return bounds;
  const known = Object.keys(FORMATS).join(", ");
  throw unsupported(pathTo(path, "format"), `the formats of numbers are ${known}. Leave it out.`);
}

/** @param sign 1 if the larger bound is the tighter one, -1 for the smaller one */
function tighter(one: Bound | undefined, other: Bound, sign: 1 | -1): Bound {
  if (one === undefined) return other;
  if (one.value === other.value) return one.isExclusive ? one : other;
  return (one.value - other.value) * sign > 0 ? one : other;
}

type Multiple = NumberLimits["multiple"];

function multipleOf(located: Located<SchemaObject>): Multiple {
  const value = numberOf(located, "multipleOf");
  if (value === undefined) return undefined;
  const path = pathTo(located.path, "multipleOf");
  if (value <= 0) throw invalid(path, "a number above 0");
  const [, whole = "", part = ""] = /^(\d+)(?:\.(\d+))?$/.exec(String(value)) ?? [];
  const step = Number(whole + part);
  if (whole === "" || step > LARGEST_STEP)
    throw unsupported(
      path,
      `its digits must not exceed ${LARGEST_STEP}, as in 5, 0.25 or 0.01. Leave it out.`,
    );
  return { step, decimals: part.length };
}

/** A multiple of both. */
function common(one: Multiple, other: Multiple): Multiple {
  if (one === undefined || other === undefined) return one ?? other;
  const decimals = Math.max(one.decimals, other.decimals);
  const [a, b] = [one, other].map(({ step, decimals: own }) => step * 10 ** (decimals - own)) as [
    number,
    number,
  ];
  return { step: (a / divisor(a, b)) * b, decimals };
}

const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));
