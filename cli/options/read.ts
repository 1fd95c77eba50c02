import { existsSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { parse as parseYaml } from "yaml";
import type { z } from "zod";
import { nearest } from "#runtime";
import { type OptionSpec, type OptionSpecs, type OptionValues, variableName } from "./spec.ts";
import { allOptions } from "./tables.ts";

/** The command line, a variable or the YAML file is invalid; the message says what and where. */
export class UsageError extends Error {
  override name = "UsageError";
}

export interface CommandLine<Specs extends OptionSpecs> {
  options: OptionValues<Specs>;
  positionals: string[];
}

interface Given {
  value: unknown;
  /** Where it was given, as the user wrote it: `--port`, `STATOR_PORT`, `stator.yaml: port`. */
  place: string;
}

const DEFAULT_FILE = "stator.yaml";

/**
 * Reads a command's options. Flags override variables (`STATOR_…`), these override the YAML file, and that overrides
 * the defaults.
 * @throws UsageError for an unknown option (with the nearest known one) or an invalid value
 */
export function readOptions<Specs extends OptionSpecs>(
  specs: Specs,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): CommandLine<Specs> {
  const { flags, positionals } = readFlags(specs, argv);
  const variables = readVariables(env);
  const configFile = flags.get("config") ?? variables.get("config");
  const file = readFile(configFile);
  const options = checkOptions(specs, (name) => flags.get(name) ?? variables.get(name) ?? file.get(name));
  return { options, positionals };
}

/**
 * Reads the options of a gateway that has no command line or files, only bindings of text and JSON.
 * @param obstacle why the option of this name is unsupported, as half a sentence; undefined if it is supported
 * @throws UsageError for an unknown or unsupported option, or an invalid value
 */
export function readBindings<Specs extends OptionSpecs>(
  specs: Specs,
  bindings: Readonly<Record<string, unknown>>,
  obstacle: (name: string) => string | undefined,
): OptionValues<Specs> {
  const variables = readVariables(bindings);
  for (const [name, { place }] of variables) {
    const reason = obstacle(name);
    if (reason !== undefined) throw new UsageError(`${place} ${reason}.`);
  }
  return checkOptions(specs, (name) => variables.get(name));
}

function checkOptions<Specs extends OptionSpecs>(
  specs: Specs,
  find: (name: string) => Given | undefined,
): OptionValues<Specs> {
  const entries = Object.entries(specs).map(([name, spec]) => {
    const given = find(name);
    const result = spec.schema.safeParse(given?.value);
    if (result.success) return [name, result.data];
    throw new UsageError(describeIssue(given?.place ?? `--${name}`, given?.value, result.error.issues[0]!));
  });
  return Object.fromEntries(entries);
}

const hasNames = (value: unknown): boolean =>
  Array.isArray(value) ? value.some(hasNames) : typeof value === "object" && value !== null;

const EXPECTED: Readonly<Record<string, string | undefined>> = {
  int: "a whole number",
  array: "a list",
  object: "names with values",
  record: "names with values",
};

function describeIssue(place: string, value: unknown, issue: z.core.$ZodIssue): string {
  // Objects may contain API keys: then show only the place.
  const isShown = !hasNames(value) && !/key$/i.test(place);
  const where = issue.path
    .map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`))
    .join("");
  const given = isShown ? `${place} cannot be ${JSON.stringify(value)}` : `${place}${where} is not right`;
  switch (issue.code) {
    case "too_small":
      if (issue.origin === "string") return `${given}: it must not be empty.`;
      return `${given}: it must be at least ${issue.minimum}.`;
    case "too_big":
      return `${given}: it must be at most ${issue.maximum}.`;
    case "invalid_value":
      return `${given}: it must be one of ${issue.values.join(", ")}.`;
    case "invalid_type":
      return `${given}: it must be ${EXPECTED[issue.expected] ?? `a ${issue.expected}`}.`;
    default:
      return `${given}: ${issue.message}.`;
  }
}

function readFlags(specs: OptionSpecs, argv: readonly string[]) {
  const options = Object.fromEntries(
    Object.entries(specs).map(([name, spec]) => [
      name,
      { type: isSwitch(spec) ? "boolean" : "string" } as const,
    ]),
  );
  const { tokens } = parseArgs({
    args: [...argv],
    options,
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const flags = new Map<string, Given>();
  const positionals: string[] = [];
  /** The last flag, if it takes the arguments after it. */
  let taking: string | undefined;
  for (const token of tokens) {
    if (token.kind === "positional") {
      const given = taking === undefined ? undefined : flags.get(taking);
      if (given === undefined) positionals.push(token.value);
      else flags.set(taking!, { ...given, value: `${given.value},${token.value}` });
    }
    if (token.kind !== "positional") taking = undefined;
    if (token.kind !== "option") continue;
    if (!Object.hasOwn(specs, token.name))
      throw unknown(token.rawName, `--${nearest(token.name, Object.keys(specs))}`);
    const given = token.value ?? (isSwitch(specs[token.name]!) ? "true" : undefined);
    // The next flag is not its value.
    if (given === undefined || (token.inlineValue === false && given.startsWith("--")))
      throw new UsageError(`${token.rawName} needs a value; see --help.`);
    const before = specs[token.name]?.isList ? flags.get(token.name) : undefined;
    const value = before === undefined ? given : `${before.value},${given}`;
    flags.set(token.name, { value, place: token.rawName });
    if (specs[token.name]?.takesMore) taking = token.name;
  }
  return { flags, positionals };
}

const isSwitch = (spec: OptionSpec<unknown>) => spec.placeholder === undefined;

function readVariables(env: Readonly<Record<string, unknown>>): Map<string, Given> {
  const variables = new Map<string, Given>();
  for (const [key, value] of Object.entries(env)) {
    if (!key.startsWith("STATOR_") || value === undefined || value === null || value === "") continue;
    const name = key.slice("STATOR_".length).toLowerCase().replaceAll("_", "-");
    if (!Object.hasOwn(allOptions, name))
      throw unknown(key, variableName(nearest(name, Object.keys(allOptions)) ?? ""));
    variables.set(name, { value, place: key });
  }
  return variables;
}

function readFile(given: Given | undefined): Map<string, Given> {
  if (given?.value === "none" || (given === undefined && !existsSync(DEFAULT_FILE))) return new Map();
  const path = String(given?.value ?? DEFAULT_FILE);
  let content: unknown;
  try {
    content = parseYaml(readFileSync(path, "utf8"));
    // YAML aliases can be circular.
    JSON.stringify(content);
  } catch (error) {
    const reason = error instanceof TypeError ? "it has a circular reference." : Object(error).message;
    throw new UsageError(`Cannot read ${path}: ${reason}`);
  }
  if (content === null) return new Map();
  if (typeof content !== "object" || Array.isArray(content)) {
    throw new UsageError(`${path} must contain options as 'name: value' lines, named like the flags.`);
  }
  return new Map(
    Object.entries(content).map(([name, value]) => {
      const place = `${path}: ${name}`;
      if (!Object.hasOwn(allOptions, name)) throw unknown(place, nearest(name, Object.keys(allOptions)));
      return [name, { value, place }];
    }),
  );
}

function unknown(place: string, suggestion: string | undefined): UsageError {
  const known = suggestion !== undefined && !/(undefined|STATOR_)$/.test(suggestion);
  return new UsageError(`Unknown option ${place}.${known ? ` Did you mean ${suggestion}?` : ""} See --help.`);
}
