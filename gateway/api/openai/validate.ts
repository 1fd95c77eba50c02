import type { z } from "zod";
import { ApiError, invalidRequest } from "../../errors.ts";

/**
 * Checks a body against its schema.
 * @returns the parsed body
 * @throws ApiError 400 whose `param` is the path of the first fault, such as `messages[2].content`
 */
export function validate<Schema extends z.ZodType>(schema: Schema, body: unknown): z.infer<Schema> {
  const result = schema.safeParse(body, { reportInput: true });
  if (result.success) return result.data;
  const issue = mostSpecific(result.error.issues[0]!);
  throw invalidRequest(sentence(issue), formatPath(issue.path), codeOf(issue));
}

/** Refuses a parameter that this server does not offer, rather than ignoring what would change the answer. */
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
  if (Array.isArray(value)) return value.length === 0;
  if (name === "response_format") return Reflect.get(Object(value), "type") === "text";
  if (name === "tool_choice" || name === "function_call") return value === "none";
  if (name === "modalities") return false;
  return value === "" || value === false;
}

/**
 * A union reports one list of faults for each of its members. The member whose fault lies deepest is the one
 * that the caller meant; where all fail at the top, the union itself is the fault.
 */
function mostSpecific(issue: Issue): Issue {
  if (issue.code !== "invalid_union") return issue;
  let deepest: Issue = issue;
  for (const issues of issue.errors) {
    const first = issues[0];
    if (first === undefined) continue;
    const candidate = mostSpecific({ ...first, path: [...issue.path, ...first.path] });
    const isDeeper = candidate.path.length > deepest.path.length;
    const isRange =
      deepest === issue && candidate.code !== "invalid_type" && candidate.code !== "invalid_union";
    if (isDeeper || isRange) deepest = candidate;
  }
  return deepest;
}

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
      return `Invalid value for ${subject}: expected ${issue.values.map((value) => `'${String(value)}'`).join(" or ")}.`;
    case "invalid_union":
      return issue.input === undefined
        ? `Missing required parameter: ${subject}.`
        : `Invalid type for ${subject}: ${typeName(issue.input)} is not one of the forms that this parameter takes.`;
    case "invalid_key":
      return `Invalid key in ${subject}: ${issue.issues[0]?.message ?? "not allowed"}`;
    default:
      return `Invalid value for ${subject}: ${issue.message}`;
  }
}

function codeOf(issue: Issue): string {
  if (issue.code === "invalid_type")
    return issue.input === undefined ? "missing_required_parameter" : "invalid_type";
  if (issue.code === "invalid_union")
    return issue.input === undefined ? "missing_required_parameter" : "invalid_type";
  return "invalid_value";
}

function formatPath(path: readonly PropertyKey[]): string | null {
  if (path.length === 0) return null;
  return path.reduce<string>(
    (text, key) =>
      typeof key === "number" ? `${text}[${key}]` : text === "" ? String(key) : `${text}.${String(key)}`,
    "",
  );
}

const article = (type: string) =>
  type === "int" ? "an integer" : /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;

function typeName(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "number" && !Number.isInteger(value)) return "a fraction";
  return article(typeof value);
}

function describeBound(origin: string, relation: string, bound: number | bigint): string {
  if (origin === "string")
    return `the text must have ${relation} ${bound} character${bound === 1 ? "" : "s"}`;
  if (origin === "array") return `the list must have ${relation} ${bound} item${bound === 1 ? "" : "s"}`;
  return `must be ${relation} ${bound}`;
}
