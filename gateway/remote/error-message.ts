import { ApiError } from "../kernel/errors.ts";
import type { ErrorMessage } from "./messages.ts";

/** An error as data. Its cause stays where it came about, for the log. */
export const toErrorMessage = ({ status, type, message, param, code, headers }: ApiError): ErrorMessage => ({
  status,
  type,
  message,
  param,
  code,
  headers,
});

export const fromErrorMessage = ({ status, type, message, ...details }: ErrorMessage) =>
  new ApiError(status, type, message, { ...details, headers: { ...details.headers } });
