import type { Context } from "hono";
import type { GatewayEnv } from "../../access/env.ts";
import { type ApiError, invalidRequest, noWorkerReady } from "../../kernel/errors.ts";
import { bindingOf } from "../../routing/filters/binding.ts";
import { canDecode } from "../../routing/filters/role.ts";
import { hasAll, tagsOf } from "../../routing/filters/tags.ts";
import { NO_PREFERENCES, type RoutePreferences } from "../../routing/preferences.ts";
import type { RecentlyLeft } from "../../routing/recently-left.ts";
import { findWorker, type RoutedWorker } from "../../routing/workers.ts";
import {
  headerValue,
  RESUMABLE_HEADER,
  refuseUnknownHeader,
  resumableHeader,
  STATOR_HEADERS,
  type StatorExtension,
  statorExtension,
} from "./stator-extension.ts";
import { validateField } from "./validate.ts";

/** OpenAI's own fields to use as the session or tenant if the request names none. */
export interface PreferenceDefaults {
  session: "none" | "user" | "prompt_cache_key";
  tenant: "none" | "user";
}

interface PreferenceFields {
  stator?: StatorExtension | null | undefined;
  user?: string | null | undefined;
  prompt_cache_key?: string | null | undefined;
}

/** A model whose members a request may name. */
interface RoutedTo {
  readonly name: string;
  /** Members that left recently. */
  readonly left: RecentlyLeft;
  allMembers(): readonly RoutedWorker[];
}

/**
 * The request's routing preferences. A header overrides the body's field, because a proxy in front knows who is
 * asking.
 * @throws ApiError 400 for an invalid header, or a worker or tags that the model does not have
 */
export function readPreferences(
  context: Context<GatewayEnv>,
  body: PreferenceFields,
  model: RoutedTo,
  defaults: PreferenceDefaults,
  arrivedAt: number,
): RoutePreferences {
  const fromHeaders = readHeaders(context);
  const given: StatorExtension = { ...body.stator, ...fromHeaders };
  given.session ??= defaults.session === "none" ? undefined : body[defaults.session];
  given.tenant ??= defaults.tenant === "none" ? undefined : body[defaults.tenant];
  const key = context.get("key");
  // A client cannot use another tenant's share; a proxy with an admin key may name the tenant.
  if (key !== undefined && !(key.isAdmin && given.tenant)) given.tenant = key.id;
  if (Object.values(given).every((value) => value === undefined || value === null)) return NO_PREFERENCES;
  const preferences: RoutePreferences = {
    worker: given.worker ?? undefined,
    tags: given.tags ? [...new Set(given.tags)].sort() : NO_PREFERENCES.tags,
    session: given.session || undefined,
    priority: given.priority ?? NO_PREFERENCES.priority,
    tenant: given.tenant ?? NO_PREFERENCES.tenant,
    deadlineAt: given.deadline_ms ? arrivedAt + given.deadline_ms : undefined,
    overlapCredit: given.overlap_credit ?? undefined,
    temperature: given.router_temperature ?? undefined,
  };
  const paramOf = (field: "worker" | "tags") =>
    field in fromHeaders ? STATOR_HEADERS[field] : `stator.${field}`;
  checkWorkers(preferences, model, paramOf);
  return preferences;
}

type HeaderField = keyof typeof STATOR_HEADERS;

const FIELDS = new Map<string, HeaderField>(
  Object.entries(STATOR_HEADERS).map(([field, header]) => [header, field as HeaderField]),
);

function readHeaders(context: Context<GatewayEnv>): StatorExtension {
  const given: StatorExtension = {};
  for (const [name, text] of context.req.raw.headers) {
    const field = FIELDS.get(name);
    if (name === RESUMABLE_HEADER) resumableHeader(text);
    else if (field === undefined) refuseUnknownHeader(name);
    else
      Object.assign(given, {
        [field]: validateField(statorExtension.shape[field], headerValue(field, text), name),
      });
  }
  return given;
}

/** A worker that left a moment ago may be back soon, and the client named it in good faith: a 503, not a 400. */
function checkWorkers(
  preferences: RoutePreferences,
  model: RoutedTo,
  paramOf: (field: "worker" | "tags") => string,
): void {
  const { worker, tags } = preferences;
  if (worker === undefined && tags.length === 0) return;
  const { left, name } = model;
  const members = model.allMembers();
  const now = performance.now();
  const notNow = () => noWorkerReady(name, bindingOf(preferences));
  if (worker !== undefined) {
    const found = findWorker(members, worker);
    if (found === undefined && !left.knows(worker, now))
      throw unknownWorker(worker, members, paramOf("worker"));
    if (found === undefined) throw notNow();
    if (!canDecode(found)) throw answersNothing(found, paramOf("worker"));
    if (!hasAll(found, tags)) throw lacksTags(worker, tags, paramOf("tags"));
  } else if (!members.some((member) => hasAll(member, tags))) {
    if (!left.hadTags(tags, now)) throw unknownTags(tags, members, paramOf("tags"));
    throw notNow();
  }
}

function answersNothing({ instance: { name, card } }: RoutedWorker, param: string): ApiError {
  return invalidRequest(
    `Invalid value for '${param}': the worker '${name}' has the role '${card.role}', so it does not answer requests itself.`,
    param,
    "unknown_worker",
  );
}

function lacksTags(worker: string, tags: readonly string[], param: string): ApiError {
  return invalidRequest(
    `Invalid value for '${param}': the worker '${worker}' does not have all of the tags ${tags.join(", ")}. Leave out the worker or the tags.`,
    param,
    "unknown_tags",
  );
}

function unknownWorker(name: string, members: readonly RoutedWorker[], param: string): ApiError {
  const names = members.map(({ instance }) => instance.name);
  return invalidRequest(
    `No worker '${name.slice(0, 100)}' serves this model; '${param}' takes one of: ${names.sort().join(", ")}.`,
    param,
    "unknown_worker",
  );
}

function unknownTags(tags: readonly string[], members: readonly RoutedWorker[], param: string): ApiError {
  const known = tagsOf(members).join(", ") || "none";
  return invalidRequest(
    `Invalid value for '${param}': no worker of this model has the tags ${tags.join(", ")} together; the tags of its workers are: ${known}.`,
    param,
    "unknown_tags",
  );
}
