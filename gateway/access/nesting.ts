import { invalidRequest } from "../kernel/errors.ts";

/**
 * Runs what goes through all of a body's JSON.
 * @throws ApiError 400 where that is nested too deeply
 */
export async function refuseDeepNesting<Result>(read: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await read();
  } catch (error) {
    // Each level is a call, and this is how runtimes say that there are too many.
    if (error instanceof RangeError && /call stack/.test(error.message))
      throw invalidRequest("The request body is nested too deeply.", null, "invalid_json");
    throw error;
  }
}
