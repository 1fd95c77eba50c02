import { readBytes } from "../access/body.ts";
import { ApiError } from "../kernel/errors.ts";
import type { AskedAnswer, AskedRequest, ErrorMessage } from "./messages.ts";

/** Serializes a request. @throws ApiError 413 if its body is larger than `bodyLimit` bytes */
export async function toAskedRequest(request: Request, bodyLimit: number): Promise<AskedRequest> {
  const { method, url, headers, body } = request;
  return {
    method,
    url,
    headers: [...headers],
    body: body === null ? undefined : await readBytes(request, bodyLimit),
  };
}

export function fromAskedRequest({ method, url, headers, body }: AskedRequest): Request {
  return new Request(url, {
    method,
    headers: headers.map(([name, value]) => [name, value]),
    body: body as BodyInit,
  });
}

/** Serializes a response with its whole body. */
export async function toAskedAnswer(response: Response): Promise<AskedAnswer> {
  const body = new Uint8Array(await response.arrayBuffer());
  return { status: response.status, headers: [...response.headers], body };
}

export function fromAskedAnswer({ status, headers, body }: AskedAnswer): Response {
  const hasBody = body.length > 0;
  return new Response(hasBody ? (body as BodyInit) : null, {
    status,
    headers: headers.map(([name, value]) => [name, value]),
  });
}

/** Serializes an error, without its cause, which is logged where it occurred. */
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
