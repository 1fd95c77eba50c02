import { z } from "zod";
import { nearest } from "#runtime";
import { invalidRequest } from "../../kernel/errors.ts";
import { decodeHeaderValue } from "../../kernel/header-values.ts";
import { strictObject } from "../strict-object.ts";

/** `key=value`, as in `--tag`. */
const tag = z
  .string()
  .regex(/^[^=,\s]+=[^,\s]+$/, "tags are written key=value, without spaces or commas.")
  .max(128);

const fields = {
  worker: z.string().min(1).max(256).nullish().describe("Uses only this worker: its name or id."),
  tags: z.array(tag).max(16).nullish().describe("Uses only workers that have all these tags: key=value."),
  session: z
    .string()
    .min(1)
    .max(256)
    .nullish()
    .describe("Requests of one session go to one worker, subject to --session-affinity."),
  priority: z
    .number()
    .int()
    .min(-100)
    .max(100)
    .nullish()
    .describe("Higher priorities leave the queue first; default 0."),
  tenant: z
    .string()
    .min(1)
    .max(256)
    .nullish()
    .describe("Tenants share the queue evenly, or according to --tenant-weights."),
  deadline_ms: z
    .number()
    .int()
    .min(1)
    .max(86_400_000)
    .nullish()
    .describe("Milliseconds from the request's arrival within which the answer must be complete."),
  resumable: z
    .boolean()
    .nullish()
    .describe("Gives the stream's events ids, from which Last-Event-ID resumes it; see docs/api.md."),
  overlap_credit: z
    .number()
    .min(0)
    .max(1_000_000)
    .nullish()
    .describe("Value of a cached block in blocks of prefill; overrides --overlap-credit."),
  router_temperature: z
    .number()
    .min(0)
    .max(1_000_000)
    .nullish()
    .describe("Above 0, samples among workers; overrides --router-temperature."),
};

/** The `stator` field of a request: its routing preferences. */
export const statorExtension = strictObject(fields).describe(
  "Where and when to answer the request; see docs/routing.md.",
);

export type StatorExtension = z.infer<typeof statorExtension>;

/** Headers that set the same fields, for proxies and for SDKs that cannot add to the body. */
export const STATOR_HEADERS = {
  worker: "x-stator-worker",
  tags: "x-stator-tags",
  session: "x-stator-session",
  priority: "x-stator-priority",
  tenant: "x-stator-tenant",
  deadline_ms: "x-stator-deadline-ms",
} as const satisfies Partial<Record<keyof StatorExtension, string>>;

/** Asks for a stream that can be resumed. */
export const RESUMABLE_HEADER = "x-stator-resumable";

/** The prefix of all headers that are meant for this server. */
const HEADER_PREFIX = "x-stator-";

const KNOWN_HEADERS: readonly string[] = [
  ...Object.values(STATOR_HEADERS),
  "x-stator-explain",
  RESUMABLE_HEADER,
];

/**
 * Parses a header, percent-encoded or not, into its field's value. A trailing comma in a list is ignored.
 * @throws ApiError 400 for a number that is not a decimal integer
 */
export function headerValue(field: keyof typeof STATOR_HEADERS, text: string): unknown {
  if (field === "tags") {
    const items = text.split(",").map((item) => item.trim());
    return items.length > 1 && items.at(-1) === "" ? items.slice(0, -1) : items;
  }
  if (field !== "priority" && field !== "deadline_ms") return decodeHeaderValue(text);
  if (/^-?\d+$/.test(text)) return Number(text);
  const header = STATOR_HEADERS[field];
  const got = text === "" ? "nothing" : `'${text.slice(0, 100)}'`;
  throw invalidRequest(
    `Invalid type for '${header}': expected an integer, but got ${got}.`,
    header,
    "invalid_type",
  );
}

/**
 * Whether the header asks for a stream that can be resumed; undefined if there is none.
 * @throws ApiError 400 for text that says neither
 */
export function resumableHeader(text: string | null | undefined): boolean | undefined {
  const value = text?.toLowerCase();
  if (value === undefined) return undefined;
  if (value === "true" || value === "1") return true;
  if (value === "false" || value === "0") return false;
  const got = value === "" ? "nothing" : `'${text?.slice(0, 100)}'`;
  throw invalidRequest(
    `Invalid value for '${RESUMABLE_HEADER}': expected 'true' or 'false', but got ${got}.`,
    RESUMABLE_HEADER,
    "invalid_value",
  );
}

/** @throws ApiError 400 for an unknown `x-stator-…` header; the message suggests the nearest known one */
export function refuseUnknownHeader(name: string): void {
  if (!name.startsWith(HEADER_PREFIX) || KNOWN_HEADERS.includes(name)) return;
  const endings = KNOWN_HEADERS.map((header) => header.slice(HEADER_PREFIX.length));
  const suggestion = nearest(name.slice(HEADER_PREFIX.length), endings);
  const advice =
    suggestion === undefined
      ? `the known headers are ${KNOWN_HEADERS.join(", ")}.`
      : `did you mean '${HEADER_PREFIX}${suggestion}'?`;
  const shown = name.slice(0, 100);
  throw invalidRequest(`Unknown header '${shown}': ${advice}`, shown, "unknown_parameter");
}
