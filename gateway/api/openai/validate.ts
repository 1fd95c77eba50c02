import type { z } from "zod";
import { ApiError, invalidRequest } from "../../kernel/errors.ts";

/**
 * Checks a body against its schema.
 * @returns the parsed body
 * @throws ApiError 400 whose `param` is the path of the first problem, such as `messages[2].content`
 */
export function validate<Schema extends z.ZodType>(schema: Schema, body: unknown): z.infer<Schema> {
  const result = schema.safeParse(body, { reportInput: true });
  if (result.success) return result.data;
  const issue = mostSpecific(result.error.issues[0]!);
  throw invalidRequest(sentence(issue), formatPath(pathOf(issue)), codeOf(issue));
}

/** The same for a single named value, such as a header. */
export function validateField<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  name: string,
): z.infer<Schema> {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  const issue = { ...result.error.issues[0]!, path: [name] };
  throw invalidRequest(sentence(issue), name, codeOf(issue));
}

/** Rejects unsupported parameters that would change the answer, rather than ignoring them. */
export function refuseUnsupported(body: unknown, parameters: Record<string, string>): void {
  if (typeof body !== "object" || body === null) return;
  for (const [name, advice] of Object.entries(parameters)) {
    const value: unknown = Reflect.get(body, name);
    if (value === undefined || value === null || isHarmless(name, value)) continue;
    throw new ApiError(400, "invalid_request_error", `The parameter '${name}' is not supported. ${advice}`, {
      param: name,
      code: "unsupported_parameter",
    });
  }
}

type Issue = z.core.$ZodIssue;

function isHarmless(name: string, value: unknown): boolean {
  if (name === "modalities" && Array.isArray(value)) return value.every((each) => each === "text");
  if (Array.isArray(value)) return value.length === 0;
  if (name === "tool_choice" || name === "function_call") return value === "none";
  return value === "" || value === false;
}

/**
 * A union reports one list of issues per member. The member that the caller meant is the one with the given `type`;
 * if that says nothing, the one whose type is right and whose value is wrong; otherwise the one whose issue is deepest, or
 * furthest along a list. If all fail at the top level, the union itself is the issue.
 */
function mostSpecific(issue: Issue): Issue {
  if (issue.code !== "invalid_union") return issue;
  let best: Issue = issue;
  for (const issues of meant(issue.errors)) {
    const first = issues[0];
    if (first === undefined) continue;
    const candidate = mostSpecific({ ...first, path: [...issue.path, ...first.path] });
    if (closeness(candidate, issue) > closeness(best, issue)) best = candidate;
  }
  return best;
}

/** The issues of the members whose `type` is the given one; of all members if there are none, or no member differs. */
function meant(members: readonly Issue[][]): readonly Issue[][] {
  const others = members.filter((issues) => !issues.some(isOfType));
  const named = others.filter((issues) => !issues.some(isOfWhole));
  return named.length > 0 ? named : members;
}

/** Whether an object is of another `type` than the member. */
const isOfType = ({ code, path }: Issue) =>
  code === "invalid_value" && path.length === 1 && path[0] === "type";

/** Whether the value is nothing like the member: text in place of an object, for example. */
const isOfWhole = ({ code, path }: Issue) =>
  path.length === 0 && (code === "invalid_type" || code === "invalid_value" || code === "invalid_union");

/** How closely a member of a union matches the input; higher is closer. */
function closeness(candidate: Issue, union: Issue): number {
  if (candidate === union) return 0;
  const isTypeRight = candidate.code !== "invalid_type" && candidate.code !== "invalid_union";
  const last = candidate.path.at(-1);
  const depth = candidate.path.length - union.path.length;
  if (depth === 0 && !isTypeRight) return 0;
  const isKindRight =
    candidate.code === "invalid_type" && kindOf(candidate.expected) === typeof candidate.input;
  return (
    (isTypeRight ? 1e9 : 0) + depth * 1e6 + (typeof last === "number" ? last : 0) + (isKindRight ? 0.5 : 0)
  );
}

const kindOf = (expected: string) => (expected === "int" ? "number" : expected);

function sentence(issue: Issue): string {
  const path = formatPath(issue.path);
  const subject = path === null ? "the request body" : `'${path}'`;
  switch (issue.code) {
    case "invalid_type":
      return issue.input === undefined
        ? `Missing required parameter: ${subject}.`
        : `Invalid type for ${subject}: expected ${article(issue.expected)}, but got ${typeName(issue.input)}.`;
    case "too_small":
      return `Invalid value for ${subject}: ${describeBound(issue.origin, issue.inclusive !== false ? "at least" : "more than", issue.minimum)}.`;
    case "too_big":
      return `Invalid value for ${subject}: ${describeBound(issue.origin, issue.inclusive !== false ? "at most" : "less than", issue.maximum)}.`;
    case "invalid_value":
      if (issue.input === undefined) return `Missing required parameter: ${subject}.`;
      return `Invalid value for ${subject}: expected ${issue.values.map((value) => `'${String(value)}'`).join(" or ")}.`;
    case "invalid_union":
      return issue.input === undefined
        ? `Missing required parameter: ${subject}.`
        : `Invalid type for ${subject}: ${typeName(issue.input)} is not one of the types that this parameter accepts.`;
    case "unrecognized_keys":
      return `Unknown parameter: '${formatPath(pathOf(issue))}'; ${issue.message}`;
    case "invalid_key":
      return `Invalid key in ${subject}: ${issue.issues[0]?.message ?? "not allowed"}`;
    default:
      return `Invalid value for ${subject}: ${issue.message}`;
  }
}

/** The path of the issue: for an unknown key, of the key itself. */
const pathOf = (issue: Issue): PropertyKey[] =>
  issue.code === "unrecognized_keys" ? [...issue.path, issue.keys[0] ?? ""] : issue.path;

function codeOf(issue: Issue): string {
  if (issue.code === "unrecognized_keys") return "unknown_parameter";
  const isMissing = issue.input === undefined;
  if (isMissing && issue.code !== "invalid_key") return "missing_required_parameter";
  return issue.code === "invalid_type" || issue.code === "invalid_union" ? "invalid_type" : "invalid_value";
}

function formatPath(path: readonly PropertyKey[]): string | null {
  if (path.length === 0) return null;
  return path.reduce<string>(
    (text, key) =>
      typeof key === "number" ? `${text}[${key}]` : text === "" ? String(key) : `${text}.${String(key)}`,
    "",
  );
}

/** JSON's names for types that zod calls something else. */
const JSON_TYPES: Record<string, string> = { int: "integer", record: "object" };

function article(type: string): string {
  const name = JSON_TYPES[type] ?? type;
  return /^[aeiou]/.test(name) ? `an ${name}` : `a ${name}`;
}

function typeName(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  // From a query string, whose values are converted.
  if (Number.isNaN(value)) return "text";
  if (value === Infinity || value === -Infinity) return "one that is too large";
  if (typeof value === "number" && !Number.isInteger(value)) return "a fraction";
  return article(typeof value);
}

function describeBound(origin: string, relation: string, bound: number | bigint): string {
  if (origin === "string")
    return `the string must have ${relation} ${bound} character${bound === 1 ? "" : "s"}`;
  if (origin === "array") return `the list must have ${relation} ${bound} item${bound === 1 ? "" : "s"}`;
  return `must be ${relation} ${bound}`;
}
