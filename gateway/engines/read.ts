import type { z } from "zod";
import { EngineApiError } from "./errors.ts";
import type { EngineApi } from "./types.ts";

/** What came in, checked. @throws EngineApiError `not_readable` */
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
    `${api.url}${path} answered with what no engine is known to answer${where}: ${message}.`,
    { cause: result.error },
  );
}

/** GET as checked JSON; undefined where there is no such route. @throws EngineApiError */
export async function getAs<Schema extends z.ZodType>(
  api: EngineApi,
  path: string,
  schema: Schema,
): Promise<z.output<Schema> | undefined> {
  const value = await api.getJson(path);
  return value === undefined ? undefined : readAs(api, path, schema, value);
}

/**
 * What a probe can do without: undefined where the server answers with an error or what is not understood.
 * @param grave statuses that cannot be passed over
 * @throws EngineApiError where it does not answer at all, or with one of these
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
 * What a check can do without: undefined where the server lets nobody in there, or does not understand the question.
 * @throws EngineApiError where it does not answer, or with an error of its own
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

/** Paths that the server lists in its OpenAPI description; undefined where it has none. */
export async function listPaths(api: EngineApi): Promise<string[] | undefined> {
  const description = await optional(api.getJson("/openapi.json"));
  const paths: unknown = Reflect.get(Object(description), "paths");
  return typeof paths === "object" && paths !== null ? Object.keys(paths) : undefined;
}

/** Of the paths that a server lists those of OpenAI's API. */
export function openAiPaths(paths: readonly string[] | undefined): string[] {
  return (paths ?? []).filter((path) => path.startsWith("/v1/"));
}
