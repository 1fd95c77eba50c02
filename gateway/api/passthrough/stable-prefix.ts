import { isRecord } from "../../kernel/json.ts";
import { withFields } from "../../kernel/json-fields.ts";
import { hasBillingHeader, withoutBillingHeader } from "../../prompts/billing-header.ts";
import type { PromptBody } from "../../prompts/prompt-reader.ts";

/** A field of a body without Claude Code's billing header. */
export interface StableField {
  readonly name: "system" | "messages";
  /** Undefined if nothing is left of it. */
  readonly value: unknown;
}

/**
 * The field of a request's body that begins with Claude Code's billing header, without it. The header changes with each
 * request, and stands before everything else, so that an engine finds no such prompt in its prefix cache.
 * @returns undefined if the body has none
 */
export function stableFieldOf(path: string, { system, messages }: PromptBody): StableField | undefined {
  if (path === "/v1/messages") {
    const value = stableContent(system);
    return value === UNCHANGED ? undefined : { name: "system", value };
  }
  if (path !== "/v1/chat/completions" || !Array.isArray(messages)) return undefined;
  const [first, ...others] = messages as unknown[];
  if (!isRecord(first) || first.role === "user" || first.role === "assistant") return undefined;
  const content = stableContent(first.content);
  if (content === UNCHANGED) return undefined;
  return {
    name: "messages",
    value: content === undefined ? others : [{ ...first, content }, ...others],
  };
}

/** The body with the field, whose other bytes stay as they are. */
export function withStableField<Body extends { bytes: Uint8Array | undefined; body: PromptBody | undefined }>(
  given: Body,
  { name, value }: StableField,
): Body {
  const added = value === undefined ? {} : { [name]: value };
  const { [name]: _, ...rest } = given.body ?? {};
  return {
    ...given,
    bytes: given.bytes && withFields(given.bytes, new Set([name]), added),
    body: { ...rest, ...added },
  };
}

const UNCHANGED = Symbol("unchanged");

/** @returns undefined if there is nothing but the header */
function stableContent(content: unknown): unknown {
  if (typeof content === "string")
    return hasBillingHeader(content) ? withoutBillingHeader(content) || undefined : UNCHANGED;
  if (!Array.isArray(content)) return UNCHANGED;
  const [first, ...others] = content as unknown[];
  if (!isRecord(first) || typeof first.text !== "string" || !hasBillingHeader(first.text)) return UNCHANGED;
  const text = withoutBillingHeader(first.text);
  const left = text === "" ? others : [{ ...first, text }, ...others];
  return left.length === 0 ? undefined : left;
}
