import { ApiError } from "../kernel/errors.ts";
import type { RateExcess, RateLimiter } from "./rate-limit.ts";

export const keyMissing = () =>
  unauthorized(
    "This server requires an API key: send it as 'authorization: Bearer KEY' (or as 'x-api-key').",
  );

/** Does not say why, so that it does not reveal expired keys. */
export const keyUnknown = () => unauthorized("The API key is not valid. Ask this server's operator for one.");

const unauthorized = (message: string) =>
  new ApiError(401, "invalid_request_error", message, {
    code: "invalid_api_key",
    headers: { "www-authenticate": "Bearer" },
  });

export const adminOnly = () =>
  new ApiError(
    403,
    "permission_error",
    "This route requires an admin key (admin: true in the file of --keys), which this key is not.",
    { code: "admin_key_required" },
  );

export const modelNotAllowed = (name: string) =>
  new ApiError(
    403,
    "permission_error",
    `This API key may not use the model '${name.slice(0, 100)}'. GET /v1/models lists the models that it may use.`,
    { param: "model", code: "model_not_allowed" },
  );

export const hostNotAllowed = () =>
  new ApiError(
    403,
    "permission_error",
    "Without keys, this server only accepts requests to an IP address or 'localhost', so that no web page can reach it under its own host name. Use such an address, or start the server with --keys, or with --open to let its API accept any host name.",
    { code: "host_not_allowed" },
  );

export const rateExceeded = ({ what, limit, waitMs }: RateExcess, limiter: RateLimiter) => {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  return new ApiError(
    429,
    "rate_limit_error",
    `This API key has used up its ${limit} ${what} per minute. Try again in ${seconds} s.`,
    {
      code: "rate_limit_exceeded",
      headers: { "retry-after": String(seconds), ...limiter.headers(performance.now()) },
    },
  );
};

export const gatewayBusy = (limit: number) =>
  new ApiError(
    503,
    "service_unavailable_error",
    `This server has reached its limit of requests in flight (--max-inflight ${limit}). Try again in 1 s.`,
    { code: "server_busy", headers: { "retry-after": "1" } },
  );

export const badPath = () =>
  new ApiError(400, "invalid_request_error", "The request's path must not contain '.' or '..' segments.", {
    code: "bad_path",
  });
