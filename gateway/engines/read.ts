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
 * @throws EngineApiError where it does not answer at all
 */
export async function optional<Value>(answer: Promise<Value>): Promise<Value | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof EngineApiError && error.code !== "unreachable" && error.code !== "timeout") {
      return undefined;
    }
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
