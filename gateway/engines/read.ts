import { z } from "zod";
import { ABSENT } from "./absent.ts";
import { EngineApiError } from "./errors.ts";
import type { EngineApi } from "./types.ts";

/** Validates an answer. @throws EngineApiError `not_readable` */
export function readAs<Schema extends z.ZodType>(
  api: EngineApi,
  path: string,
  schema: Schema,
  value: unknown,
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { path: field, message } = result.error.issues[0]!;
  const where = field.length > 0 ? ` at ${field.join(".")}` : "";
  throw new EngineApiError(
    "not_readable",
    `${api.url}${path} returned an answer in an unknown format${where}: ${message}.`,
    { cause: result.error },
  );
}

/** GETs and validates JSON; undefined if the route does not exist. @throws EngineApiError */
export async function getAs<Schema extends z.ZodType>(
  api: EngineApi,
  path: string,
  schema: Schema,
): Promise<z.output<Schema> | undefined> {
  const value = await api.getJson(path);
  return value === undefined ? undefined : readAs(api, path, schema, value);
}

/**
 * For answers that a probe can do without: undefined if the server returns an error or an unknown format.
 * @param grave statuses that must not be ignored
 * @throws EngineApiError if it does not answer at all, or with one of these
 */
export async function optional<Value>(
  answer: Promise<Value>,
  grave: readonly number[] = [],
): Promise<Value | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof EngineApiError)) throw error;
    const { code, status } = error;
    if (code === "unreachable" || code === "timeout" || (status !== undefined && grave.includes(status)))
      throw error;
    return undefined;
  }
}

/**
 * For answers that a health check can do without: undefined for a client error other than 429.
 * @throws EngineApiError if it does not answer, or with a server error
 */
export async function permitted<Value>(answer: Promise<Value>): Promise<Value | undefined> {
  try {
    return await answer;
  } catch (error) {
    const status = error instanceof EngineApiError ? error.status : undefined;
    if (status !== undefined && status < 500 && status !== 429) return undefined;
    throw error;
  }
}

/** The paths in the server's OpenAPI description; undefined if it has none. */
export async function listPaths(api: EngineApi): Promise<string[] | undefined> {
  const description = await optional(api.getJson("/openapi.json"));
  const paths: unknown = Reflect.get(Object(description), "paths");
  return typeof paths === "object" && paths !== null ? Object.keys(paths) : undefined;
}

/** The fields of an object in the server's OpenAPI description; undefined if that does not have it. */
export async function fieldsIn(api: EngineApi, schema: string): Promise<string[] | undefined> {
  const description = await optional(api.getJson("/openapi.json"));
  const read = describedSchema.safeParse(description);
  const properties = read.data?.components.schemas[schema]?.properties;
  return properties && Object.keys(properties);
}

const describedSchema = z.looseObject({
  components: z.looseObject({
    schemas: z.record(
      z.string(),
      z.looseObject({ properties: z.record(z.string(), z.unknown()).optional() }),
    ),
  }),
});

/** Whether a server has a path: if so, it refuses an empty request, but not as unknown. */
export const hasPath = async (api: EngineApi, path: string): Promise<boolean> =>
  !ABSENT.includes(await api.postStatus(path, {}));

/** The paths of OpenAI's API among those that a server lists. */
export function openAiPaths(paths: readonly string[] | undefined): string[] {
  return (paths ?? []).filter((path) => path.startsWith("/v1/"));
}
