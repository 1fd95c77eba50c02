import { isRecord, jsonOf } from "../kernel/json.ts";
import { withFields } from "../kernel/json-fields.ts";
import type { Constraint } from "./constraint.ts";
import type { EngineAdapter } from "./types.ts";

/** A constraint in a request's fields of any name: vLLM's `structured_outputs`, or its older `guided_…`. */
export interface StructuredOutput {
  readonly constraint: Constraint;
  readonly isChat: boolean;
  /** The field that says it. */
  readonly field: string;
  /** Fields that belong to it. */
  readonly others: readonly string[];
}

/** Parts of vLLM's `structured_outputs` that change no more than how an answer is found. */
const HINTS = new Set(["disable_fallback", "disable_any_whitespace", "whitespace_pattern"]);

/** Fields beside vLLM's `guided_…` that are the same. */
const GUIDED_HINTS = ["guided_decoding_backend", "guided_whitespace_pattern"];

const KINDS = ["json", "regex", "choice", "grammar"] as const;

/** vLLM's fields for constraints. */
export const VLLM_FIELDS: readonly string[] = [
  "structured_outputs",
  ...KINDS.map((kind) => `guided_${kind}`),
];

const CHAT = "/v1/chat/completions";
const COMPLETIONS = "/v1/completions";

/**
 * The only constraint of a chat or completion in vLLM's fields, whose names clients may use for all engines. Undefined if
 * there is none; or if there are several or one that cannot be read, which the engine then judges.
 */
export function structuredOutputOf(
  path: string,
  json: Readonly<Record<string, unknown>>,
): StructuredOutput | undefined {
  if (path !== CHAT && path !== COMPLETIONS) return undefined;
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
  const isChat = path === CHAT;
  return named.length > 0
    ? { constraint, isChat, field: "structured_outputs", others: [] }
    : { constraint, isChat, field: param, others: GUIDED_HINTS };
}

/**
 * The body with its constraint in the fields that a kind of engine knows, which its adapter names; as it is if it is for
 * the engine already.
 * @param bytes the JSON from which the constraint was read
 * @param version the engine's, if it reports one
 * @throws ApiError 400 if this kind of engine cannot keep to the constraint
 */
export function withOwnFields(
  bytes: Uint8Array,
  { constraint, isChat, field, others }: StructuredOutput,
  adapter: EngineAdapter | undefined,
  version: string | undefined,
): Uint8Array {
  const own = adapter?.structuredOutput?.(constraint, { isChat, version });
  if (own === undefined || Object.keys(own).every((name) => name === field)) return bytes;
  return withFields(bytes, new Set([...others, field, ...Object.keys(own)]), own);
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
