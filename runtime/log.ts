export type LogLevel = "error" | "warn" | "info" | "debug";
export type LogFormat = "text" | "json";
export type LogFields = Record<string, unknown>;

export interface LoggerOptions {
  /** The least urgent level that is written. Default `info`. */
  level?: LogLevel;
  /** `text` for people, `json` for programs; one line per entry. Default `text`. */
  format?: LogFormat;
  /** The name of the logging process: `gateway`, `llama-0`. */
  name: string;
  /** Where lines go, newline included. Default: standard error. */
  write?: (line: string) => void;
  /** Whether the text format is coloured. Default: only on a terminal, and never if NO_COLOR is set. */
  colour?: boolean;
}

/** A structured logger: a constant message, and fields for what varies. */
export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  /** Whether a line of this level would be written: check before gathering costly fields. */
  isEnabled(level: LogLevel): boolean;
  /** A logger that adds `fields` to every line; a field `name` replaces the name. */
  child(fields: LogFields): Logger;
}

/**
 * Creates a logger.
 *
 * @example
 * const log = createLogger({ name: "gateway" });
 * log.info("worker joined", { worker: "llama-0", model: "smollm2" });
 * // 12:04:31.250 info  gateway worker joined worker=llama-0 model=smollm2
 */
export function createLogger(options: LoggerOptions): Logger {
  const sink: Sink = {
    urgency: urgency[options.level ?? "info"],
    format: options.format ?? "text",
    write: options.write ?? ((line) => process.stderr.write(line)),
    colour: options.colour ?? (process.stderr.isTTY === true && !process.env.NO_COLOR),
  };
  return new StreamLogger(sink, options.name, {});
}

/** The levels by name, most urgent first. */
export const logLevels: readonly LogLevel[] = ["error", "warn", "info", "debug"];

interface Sink {
  urgency: number;
  format: LogFormat;
  write: (line: string) => void;
  colour: boolean;
}

const urgency: Record<LogLevel, number> = { error: 0, warn: 1, info: 2, debug: 3 };
const colours: Record<LogLevel, string> = { error: "31", warn: "33", info: "32", debug: "2" };

class StreamLogger implements Logger {
  readonly #sink: Sink;
  readonly #name: string;
  readonly #fields: LogFields;

  constructor(sink: Sink, name: string, fields: LogFields) {
    this.#sink = sink;
    this.#name = name;
    this.#fields = fields;
  }

  error(message: string, fields?: LogFields): void {
    this.#line("error", message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#line("warn", message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#line("info", message, fields);
  }

  debug(message: string, fields?: LogFields): void {
    this.#line("debug", message, fields);
  }

  isEnabled(level: LogLevel): boolean {
    return urgency[level] <= this.#sink.urgency;
  }

  child(fields: LogFields): Logger {
    const { name, ...rest } = fields;
    const childName = typeof name === "string" ? name : this.#name;
    return new StreamLogger(this.#sink, childName, { ...this.#fields, ...rest });
  }

  #line(level: LogLevel, message: string, fields: LogFields | undefined): void {
    if (!this.isEnabled(level)) return;
    const all = { ...this.#fields, ...fields };
    const { format, colour, write } = this.#sink;
    write(
      format === "json"
        ? json(level, this.#name, message, all)
        : text(level, this.#name, message, all, colour),
    );
  }
}

function json(level: LogLevel, name: string, message: string, fields: LogFields): string {
  const head = { time: new Date().toISOString(), level, name, message };
  try {
    // The head is repeated last, so that no field can override it.
    return `${JSON.stringify({ ...head, ...fields, ...head }, jsonValue)}\n`;
  } catch (error) {
    return `${JSON.stringify({ ...head, unprintable: String(error) })}\n`;
  }
}

function jsonValue(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Error) return errorText(value);
  return value;
}

function text(level: LogLevel, name: string, message: string, fields: LogFields, colour: boolean): string {
  const now = new Date();
  const time = `${pad(now.getHours())}:${pad(now.getMinutes())}:${pad(now.getSeconds())}.${pad(now.getMilliseconds(), 3)}`;
  const paint = (code: string, part: string) => (colour ? `\x1b[${code}m${part}\x1b[0m` : part);
  let line = `${paint("2", time)} ${paint(colours[level], level.padEnd(5))} ${paint("1", name)} ${oneLine(message)}`;
  for (const [key, value] of Object.entries(fields)) {
    if (value !== undefined) line += ` ${paint("2", `${key}=`)}${textValue(value)}`;
  }
  return `${line}\n`;
}

function textValue(value: unknown): string {
  if (typeof value === "string") return /^[^\s"=\p{C}]+$/u.test(value) ? value : JSON.stringify(value);
  if (value instanceof Error) return JSON.stringify(errorText(value));
  if (typeof value !== "object" || value === null) return String(value);
  try {
    return JSON.stringify(value, jsonValue);
  } catch (error) {
    return JSON.stringify(String(error));
  }
}

/** The stack, and the stacks of the causes under it. */
function errorText(error: Error): string {
  const own = error.stack ?? `${error.name}: ${error.message}`;
  return error.cause instanceof Error ? `${own}\ncaused by ${errorText(error.cause)}` : own;
}

/** Escapes line breaks and control characters, so that a message cannot fake another log line. */
function oneLine(message: string): string {
  return /\p{Cc}/u.test(message) ? JSON.stringify(message).slice(1, -1) : message;
}

function pad(value: number, width = 2): string {
  return String(value).padStart(width, "0");
}
