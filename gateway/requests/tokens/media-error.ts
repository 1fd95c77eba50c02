import type { PlaneError } from "#runtime";
import { type ApiError, contextLengthExceeded, invalidRequest } from "../../kernel/errors.ts";
import type { JobMedia } from "./job.ts";

/** The error for the client if a worker refuses a prompt for its media, with the path of what is at fault. */
export function mediaError(
  { code, message, medium }: PlaneError,
  {
    items,
    param,
  }: Pick<JobMedia, "param"> & { readonly items: readonly { readonly path?: string | undefined }[] },
): ApiError | undefined {
  if (code === "context_length_exceeded") return contextLengthExceeded(message, param);
  const path = medium === undefined ? undefined : items[medium]?.path;
  if (code !== "invalid_media" || path === undefined) return undefined;
  return invalidRequest(`Invalid value for '${path}'. ${message}`, path, "invalid_media");
}
