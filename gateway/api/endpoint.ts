import type { Context } from "hono";
import type { z } from "zod";
import type { GatewayEnv } from "../access/env.ts";
import type { PromptBody, PromptKind } from "../prompts/prompt-reader.ts";
import type { EventApi } from "../requests/wire/event-api.ts";
import type { GatewayDependencies } from "./dependencies.ts";
import type { Translator } from "./translation/translation.ts";

/**
 * Answers with the workers of the model that the body names.
 * @param json the body, parsed; of a form, its fields
 * @param hasOthers whether another model may answer if this one cannot
 * @throws FallbackError if another model should answer instead; only with `hasOthers`
 */
export type OwnRoute = (
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  json: unknown,
  hasOthers: boolean,
) => Promise<Response>;

/** What the gateway knows about a path that takes requests for models. */
export interface Endpoint {
  /** Its name in metrics. */
  readonly name: string;
  /** A short description for the API reference. */
  readonly summary: string;
  /** Which fields of the body hold the prompt. */
  readonly prompt: PromptKind;
  /** Whether requests, other than reads and deletions, can use an engine's cached KV. */
  readonly usesCache: boolean;
  /** The format of its event streams; undefined if they are not interpreted. */
  readonly events: EventApi | undefined;
  /** Whether the response's id names a resource stored at the engine, which later requests may refer to. */
  readonly createsResources: boolean;
  /** A non-streamed answer longer than this, in bytes, is treated as an error; undefined for no limit. */
  readonly longestAnswer: number | undefined;
  /** Undefined if only engines answer. */
  readonly own: OwnEndpoint | undefined;
  /** Turns requests into chat completions, for engines without this API. */
  readonly translate: Translator | undefined;
  /** Whether a request is idempotent, so that it may be retried. */
  isRepeatable(method: string, body: PromptBody | undefined): boolean;
}

/** An endpoint that the gateway itself implements, for models served by workers. */
export interface OwnEndpoint {
  readonly route: OwnRoute;
  readonly schema: z.ZodType;
  /** Whether the body is a form (`multipart/form-data`) instead of JSON. */
  readonly isForm?: boolean;
  readonly description: string;
  readonly example: object;
  /** Describes the successful response. */
  readonly answer: string;
}

const always = () => true;
/** Only reads are idempotent. */
export const reads = (method: string) => method === "GET" || method === "HEAD";

/** An endpoint that engines answer, unless `rest` says more. */
export function endpoint(
  name: string,
  summary: string,
  prompt: PromptKind,
  rest: Partial<Endpoint> = {},
): Endpoint {
  return {
    name,
    summary,
    prompt,
    usesCache: true,
    events: undefined,
    createsResources: false,
    longestAnswer: undefined,
    own: undefined,
    translate: undefined,
    isRepeatable: always,
    ...rest,
  };
}
