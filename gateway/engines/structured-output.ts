import { isRecord, jsonOf } from "../kernel/json.ts";
import { withFields } from "../kernel/json-fields.ts";
import type { Constraint } from "./constraint.ts";
import type { EngineAdapter } from "./types.ts";

/** A constraint in a request's fields of any name: vLLM's `structured_outputs`, or its older `guided_…`. */
interface StructuredOutput {
  readonly constraint: Constraint;
  /** The field that says it. */
  readonly field: string;
  /** Fields that belong to it. */
  readonly others: readonly string[];
}

/** Parts of vLLM's `structured_outputs` that change no more than how an answer is found. */
const HINTS = new Set(["disable_fallback", "disable_any_whitespace", "whitespace_pattern"]);

/** Fields beside vLLM's `guided_…` that are the same. */
const GUIDED_HINTS = ["guided_decoding_backend", "guided_whitespace_pattern"];

/** Whether a request may have a constraint in vLLM's fields. */
export const hasStructuredOutput = (path: string, json: Readonly<Record<string, unknown>>): boolean =>
  PATHS.has(path) && FIELDS.some((name) => isGiven(json[name]));

const KINDS = ["json", "regex", "choice", "grammar"] as const;

const FIELDS = ["structured_outputs", ...KINDS.map((kind) => `guided_${kind}`)];

const PATHS = new Set(["/v1/chat/completions", "/v1/completions"]);

/**
 * The body of a chat or completion with its constraint in the fields that a kind of engine knows, which are named in
 * its adapter. The client may use those of vLLM. A body stays as it is if it has no constraint or several, which the
 * engine then judges, or if it is for the engine already.
 * @param bytes the JSON of `json`
 * @param version the engine's, if it reports one
 * @throws ApiError 400 if this kind of engine cannot keep to the constraint
 */
export function withOwnStructuredOutput(
  request: { path: string; bytes: Uint8Array; json: Readonly<Record<string, unknown>> },
  adapter: EngineAdapter | undefined,
  version: string | undefined,
): Uint8Array {
  const { path, bytes, json } = request;
  if (adapter?.structuredOutput === undefined || !hasStructuredOutput(path, json)) return bytes;
  const found = structuredOutputOf(json);
  if (found === undefined) return bytes;
  const own = adapter.structuredOutput(found.constraint, {
    isChat: path === "/v1/chat/completions",
    version,
  });
  if (Object.keys(own).every((name) => name === found.field)) return bytes;
  return withFields(bytes, new Set([...found.others, found.field, ...Object.keys(own)]), own);
}

/** The only constraint of a request in vLLM's fields. */
function structuredOutputOf(json: Readonly<Record<string, unknown>>): StructuredOutput | undefined {
  const { structured_outputs: current, response_format: format } = json;
  if (isRecord(format) && format.type !== "text") return undefined;
  const guided = KINDS.flatMap((kind) =>
    isGiven(json[`guided_${kind}`]) ? [[kind, `guided_${kind}`, json[`guided_${kind}`]] as const] : [],
  );
  const parts = isRecord(current) ? Object.entries(current).filter(([name]) => !HINTS.has(name)) : [];
  const named = parts.flatMap(([kind, value]) =>
    isGiven(value) ? [[kind, `structured_outputs.${kind}`, value] as const] : [],
  );
  const [only, ...others] = [...guided, ...named];
  if (only === undefined || others.length > 0) return undefined;
  const [kind, param, value] = only;
  const constraint = constraintOf(kind, param, value);
  if (constraint === undefined) return undefined;
  return named.length > 0
    ? { constraint, field: "structured_outputs", others: [] }
    : { constraint, field: param, others: GUIDED_HINTS };
}

const isGiven = (value: unknown) => value !== undefined && value !== null && value !== false;

/** Undefined if the value has the wrong type, or the kind is another. */
function constraintOf(kind: string, param: string, value: unknown): Constraint | undefined {
  switch (kind) {
    case "json": {
      const schema = typeof value === "string" ? jsonOf(value) : value;
      return isRecord(schema) || typeof schema === "boolean" ? { kind, param, value: schema } : undefined;
    }
    case "json_object":
      return value === true ? { kind, param, value } : undefined;
    case "regex":
    case "grammar":
      return typeof value === "string" ? { kind, param, value } : undefined;
    case "choice":
      return Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === "string")
        ? { kind, param, value }
        : undefined;
    default:
      return undefined;
  }
}
