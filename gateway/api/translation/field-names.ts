import { ApiError } from "../../kernel/errors.ts";

/** How another API calls the fields of chats: what their paths begin with, and what stands there instead. */
export type FieldNames = readonly (readonly [chat: RegExp, own: string])[];

/** An error of a chat that stands for a request of another API, with the field that it blames by its name there. */
export function inOwnWords(error: ApiError, names: FieldNames): ApiError {
  const { status, type, message, param, code, headers } = error;
  const [pattern, own] = (param !== null && names.find(([chat]) => chat.test(param))) || [];
  if (param === null || pattern === undefined) return error;
  const renamed = param.replace(pattern, own!);
  return new ApiError(status, type, message.replaceAll(param, renamed), {
    param: renamed,
    code,
    headers,
    cause: error,
  });
}

/** Does what a chat would do, with errors in the other API's words. */
export async function asChat<Value>(names: FieldNames, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof ApiError ? inOwnWords(error, names) : error;
  }
}
