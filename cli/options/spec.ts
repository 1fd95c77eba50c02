import { z } from "zod";

/** One option: the same schema checks the flag `--name`, the variable `STATOR_NAME` and the key `name` in YAML. */
export interface OptionSpec<Value> {
  schema: z.ZodType<Value>;
  /** One sentence for `--help` and the docs. */
  describe: string;
  /** Placeholder of the value in `--help`: `N`, `FILE`; undefined for a switch. */
  placeholder: string | undefined;
  /** The default as `--help` shows it; undefined if there is none. */
  defaultText: string | undefined;
  /** Whether the flag is repeatable, each time adding items. */
  isList?: true;
  /** Whether the arguments after the flag's value, up to the next flag, are its items too. */
  takesMore?: true;
}

export type OptionSpecs = Record<string, OptionSpec<unknown>>;

export type OptionValues<Specs extends OptionSpecs> = {
  [Name in keyof Specs]: Specs[Name] extends OptionSpec<infer Value> ? Value : never;
};

interface NumberOptions {
  describe: string;
  min?: number;
  max?: number;
  int?: boolean;
  placeholder?: string;
}

export function number(options: NumberOptions & { default: number }): OptionSpec<number>;
export function number(options: NumberOptions): OptionSpec<number | undefined>;
export function number(options: NumberOptions & { default?: number }): OptionSpec<number | undefined> {
  let schema = options.int === false ? z.number() : z.number().int();
  if (options.min !== undefined) schema = schema.min(options.min);
  if (options.max !== undefined) schema = schema.max(options.max);
  const fromText = z.preprocess(
    (value) => (typeof value === "string" && value.trim() !== "" ? Number(value) : value),
    schema,
  );
  return finish(fromText, options, options.placeholder ?? "N");
}

/** A number above 0, or a share in percent: `20000` or `150%`. */
export function amountOrShare(options: TextOptions): OptionSpec<string | undefined> {
  const schema = z.preprocess(
    (value) => (typeof value === "number" ? String(value) : value),
    z
      .string()
      .regex(
        /^(?=.*[1-9])\d{1,9}(\.\d{1,9})?%?$/,
        "it must be a number or a percentage, such as 20000 or 150%",
      ),
  );
  return finish(schema, options, options.placeholder ?? "N[%]");
}

interface TextOptions {
  describe: string;
  placeholder?: string;
}

export function text(options: TextOptions & { default: string }): OptionSpec<string>;
export function text(options: TextOptions): OptionSpec<string | undefined>;
export function text(options: TextOptions & { default?: string }): OptionSpec<string | undefined> {
  return finish(z.string().min(1), options, options.placeholder ?? "TEXT");
}

export function choice<const Value extends string>(
  values: readonly Value[],
  options: { describe: string; default: NoInfer<Value> },
): OptionSpec<Value> {
  const schema = z.enum(values as [Value, ...Value[]]) as unknown as z.ZodType<Value>;
  return {
    schema: schema.default(options.default as never) as z.ZodType<Value>,
    describe: options.describe,
    placeholder: values.join("|"),
    defaultText: options.default,
  };
}

/** One of several values, or none. */
export function optionalChoice<const Value extends string>(
  values: readonly Value[],
  options: { describe: string; placeholder: string },
): OptionSpec<Value | undefined> {
  const schema = z.enum(values as [Value, ...Value[]]) as unknown as z.ZodType<Value>;
  return { schema: schema.optional(), ...options, defaultText: undefined };
}

/** A list: comma-separated in flags and variables, or the flag repeated; a list in YAML. */
export function list(
  options: TextOptions & { item?: z.ZodType<string>; takesMore?: true },
): OptionSpec<string[]> {
  const schema = z.preprocess(
    (value) => (typeof value === "string" ? value.split(",").map((item) => item.trim()) : value),
    z.array(options.item ?? z.string().min(1)),
  );
  return {
    schema: schema.default([]) as z.ZodType<string[]>,
    describe: options.describe,
    placeholder: options.placeholder ?? "A,B",
    defaultText: undefined,
    isList: true,
    ...(options.takesMore && { takesMore: true }),
  };
}

/**
 * Ordered pairs of strings: `A=B,C=D` in flags and variables, or the flag repeated; in YAML a list of such strings, or
 * an object whose values are strings or lists of strings.
 */
export function pairs(options: TextOptions): OptionSpec<(readonly [string, string])[]> {
  const pair = z
    .string()
    .regex(/^[^=]+=.+$/, `it must be ${options.placeholder ?? "NAME=VALUE"}`)
    .transform((text): readonly [string, string] => {
      const equals = text.indexOf("=");
      return [text.slice(0, equals).trim(), text.slice(equals + 1).trim()];
    });
  const schema = z.preprocess(asPairs, z.array(pair));
  return {
    schema: schema.default([]) as z.ZodType<(readonly [string, string])[]>,
    describe: options.describe,
    placeholder: options.placeholder ?? "NAME=VALUE",
    defaultText: undefined,
    isList: true,
  };
}

/** LoRA adapters: names and paths. A name stands for one path, and has no control characters. */
export function adapters(options: TextOptions): ReturnType<typeof pairs> {
  const spec = pairs(options);
  const schema = spec.schema.superRefine((given, context) => {
    const paths = new Map<string, string>();
    for (const [name, path] of given) {
      const refuse = (message: string) => context.addIssue({ code: "custom", message });
      if (/\p{Cc}/u.test(name))
        refuse(`the adapter name ${JSON.stringify(name)} must not have control characters`);
      else if ((paths.get(name) ?? path) !== path)
        refuse(`the adapter '${name}' is given twice, with different paths; give it once, or rename one`);
      paths.set(name, path);
    }
  });
  return { ...spec, schema };
}

function asPairs(value: unknown): unknown {
  if (typeof value === "string") return value.split(",").map((item) => item.trim());
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.entries(value).flatMap(([name, values]) =>
    (Array.isArray(values) ? values : [values]).map((each) => `${name}=${each}`),
  );
}

/** A switch, off by default. */
export function toggle(describe: string): OptionSpec<boolean> {
  const schema = z.preprocess(
    (value) => (value === "true" ? true : value === "false" ? false : value),
    z.boolean().default(false),
  );
  return { schema, describe, placeholder: undefined, defaultText: undefined };
}

function finish<Value>(
  schema: z.ZodType<Value>,
  options: { describe: string; default?: Value },
  placeholder: string,
): OptionSpec<Value | undefined> {
  return {
    schema:
      options.default === undefined
        ? schema.optional()
        : (schema.default(options.default as never) as z.ZodType<Value>),
    describe: options.describe,
    placeholder,
    defaultText: options.default === undefined ? undefined : String(options.default),
  };
}

/** The environment variable of an option. */
export const variableName = (option: string) => `STATOR_${option.toUpperCase().replaceAll("-", "_")}`;
