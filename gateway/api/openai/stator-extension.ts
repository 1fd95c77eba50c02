import { z } from "zod";
import { nearest } from "#runtime";
import { invalidRequest } from "../../kernel/errors.ts";
import { decodeHeaderValue } from "../../kernel/header-values.ts";
import { strictObject } from "../strict-object.ts";

/** `key=value`, as `--tag` gives it to a worker. */
const tag = z
  .string()
  .regex(/^[^=,\s]+=[^,\s]+$/, "Tags are written key=value, without spaces or commas.")
  .max(128);

const fields = {
  worker: z.string().min(1).max(256).nullish().describe("Only this worker will do: its name or id."),
  tags: z.array(tag).max(16).nullish().describe("Only workers that have all these tags will do: key=value."),
  session: z
    .string()
    .min(1)
    .max(256)
    .nullish()
    .describe("Requests of one session go to one worker, as --session-affinity says."),
  priority: z
    .number()
    .int()
    .min(-100)
    .max(100)
    .nullish()
    .describe("In the queue, higher goes first; default 0."),
  tenant: z
    .string()
    .min(1)
    .max(256)
    .nullish()
    .describe("Tenants share the queue evenly, or by --tenant-weights."),
  deadline_ms: z
    .number()
    .int()
    .min(1)
    .max(86_400_000)
    .nullish()
    .describe("Milliseconds from the request's arrival until the answer must be complete."),
  overlap_credit: z
    .number()
    .min(0)
    .max(1_000_000)
    .nullish()
    .describe("Worth of a cached block in blocks of prefill, instead of --overlap-credit."),
  router_temperature: z
    .number()
    .min(0)
    .max(1_000_000)
    .nullish()
    .describe("Above 0, samples among workers, instead of --router-temperature."),
};

/** The field `stator` of a request: where and when it is answered. */
export const statorExtension = strictObject(fields).describe(
  "Where and when the request is answered; see docs/routing.md.",
);

export type StatorExtension = z.infer<typeof statorExtension>;

/** Headers that say the same, for proxies and for SDKs that let nothing be added to the body. */
export const STATOR_HEADERS = {
  worker: "x-stator-worker",
  tags: "x-stator-tags",
  session: "x-stator-session",
  priority: "x-stator-priority",
  tenant: "x-stator-tenant",
  deadline_ms: "x-stator-deadline-ms",
} as const satisfies Partial<Record<keyof StatorExtension, string>>;

/** What all headers that are meant for this server begin with. */
const HEADER_PREFIX = "x-stator-";

const KNOWN_HEADERS: readonly string[] = [...Object.values(STATOR_HEADERS), "x-stator-explain"];

/**
 * A header's text as the value of its field, percent-encoded or not; a comma too many at the end of a list does no harm.
 * @throws ApiError 400 for a number that is not written in digits
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
    `Invalid type for '${header}': expected a whole number, written in digits, but got ${got}.`,
    header,
    "invalid_type",
  );
}

/** @throws ApiError 400 for a header that is meant for this server but unknown to it, with the nearest known one */
export function refuseUnknownHeader(name: string): void {
  if (!name.startsWith(HEADER_PREFIX) || KNOWN_HEADERS.includes(name)) return;
  const endings = KNOWN_HEADERS.map((header) => header.slice(HEADER_PREFIX.length));
  const suggestion = nearest(name.slice(HEADER_PREFIX.length), endings);
  const advice =
    suggestion === undefined
      ? `the headers of this kind are ${KNOWN_HEADERS.join(", ")}.`
      : `did you mean '${HEADER_PREFIX}${suggestion}'?`;
  const shown = name.slice(0, 100);
  throw invalidRequest(`Unknown header '${shown}': ${advice}`, shown, "unknown_parameter");
}
