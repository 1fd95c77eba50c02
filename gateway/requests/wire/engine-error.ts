import { ApiError } from "../../kernel/errors.ts";
import { isRecord, jsonOf } from "../../kernel/json.ts";

/** Assumed if an engine's error has no status. */
const UNKNOWN = 500;

/** Fields with an HTTP status in errors of vLLM, SGLang, TensorRT-LLM, llama.cpp and proxies in front of them. */
const STATUS_FIELDS = ["code", "status", "status_code", "http_status_code", "statusCode"];
const KIND_FIELDS = ["type", "code", "error_type", "status"];

/** Error types that blame the request. */
const CLIENT_FAULT =
  /invalid|bad_?request|validation|not_?found|permission|authenti|unprocessable|unsupported|context_?(size|length)|too_(long|large)/i;

/**
 * Detects an error in place of an answer, in a stream or with status 200.
 * @param value parsed JSON
 * @param name the event's name, in a stream
 * @returns the error's HTTP status, as given or according to its type; undefined if the value is not an error
 */
export function errorStatusOf(value: unknown, name = ""): number | undefined {
  if (!isRecord(value)) return undefined;
  const { error } = value;
  const isError =
    isRecord(error) ||
    (typeof error === "string" && error !== "") ||
    value.object === "error" ||
    value.type === "error" ||
    name === "error";
  if (!isError) return undefined;
  const records = isRecord(error) ? [error, value] : [value];
  return statusIn(records) ?? (isClientFault(records) ? 400 : UNKNOWN);
}

/**
 * An engine's error as one of the gateway's, with the engine's own message, code and parameter, as far as it gives them.
 * @param value parsed JSON
 * @param otherwise the message if the engine says nothing
 */
export function engineErrorOf(value: unknown, status: number, otherwise: string): ApiError {
  const { code, param } = isRecord(value) && isRecord(value.error) ? value.error : {};
  const type = status < 500 ? "invalid_request_error" : "server_error";
  return new ApiError(status, type, errorMessageOf(value) ?? otherwise, {
    code: typeof code === "string" && code !== "" ? code : "engine_error",
    param: typeof param === "string" ? param : null,
  });
}

/** What an engine says of its error; undefined if it says nothing. @param value parsed JSON */
export function errorMessageOf(value: unknown): string | undefined {
  if (!isRecord(value)) return undefined;
  const { error } = value;
  const said = [isRecord(error) ? error.message : error, value.message, value.detail];
  return said.find((each) => typeof each === "string" && each !== "") as string | undefined;
}

function statusIn(records: readonly Record<string, unknown>[]): number | undefined {
  const values = records.flatMap((record) => STATUS_FIELDS.map((field) => record[field]));
  return values.map(Number).find((number) => Number.isInteger(number) && number >= 400 && number < 600);
}

function isClientFault(records: readonly Record<string, unknown>[]): boolean {
  return records
    .flatMap((record) => KIND_FIELDS.map((field) => record[field]))
    .some((kind) => typeof kind === "string" && CLIENT_FAULT.test(kind));
}

const LONGEST_QUOTE = 200;

/** A refusal as a sentence: the status, and what the engine says about it. */
export function refusalOf(status: number, body: string): string {
  const said = errorMessageOf(jsonOf(body));
  const quote = said === undefined ? "." : `: ${said.slice(0, LONGEST_QUOTE)}`;
  return `It answered with status ${status}${quote}`;
}
