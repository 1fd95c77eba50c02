import { type OptionSpec, type OptionSpecs, variableName } from "./spec.ts";

/** A command's options as `--help` shows them. */
export function optionsHelp(specs: OptionSpecs): string {
  const rows = Object.entries(specs).map(([name, spec]) => [flagText(name, spec), describe(spec)] as const);
  const width = Math.min(34, Math.max(...rows.map(([flag]) => flag.length)) + 2);
  return rows
    .map(([flag, text]) =>
      flag.length < width ? `  ${flag.padEnd(width)}${text}` : `  ${flag}\n  ${"".padEnd(width)}${text}`,
    )
    .join("\n");
}

/** The same as a Markdown table, for the docs. */
export function optionsTable(specs: OptionSpecs): string {
  const rows = Object.entries(specs).map(
    ([name, spec]) =>
      `| \`--${name}\` | \`${variableName(name)}\` | ${spec.defaultText === undefined ? "" : `\`${spec.defaultText}\``} | ${spec.describe}${choices(spec)} |`,
  );
  return ["| flag, YAML key | variable | default | meaning |", "| --- | --- | --- | --- |", ...rows].join(
    "\n",
  );
}

const flagText = (name: string, { placeholder }: OptionSpec<unknown>) =>
  placeholder === undefined ? `--${name}` : `--${name} ${placeholder.includes("|") ? "…" : placeholder}`;

const choices = ({ placeholder }: OptionSpec<unknown>) =>
  placeholder?.includes("|") ? ` One of ${placeholder.split("|").join(", ")}.` : "";

function describe(spec: OptionSpec<unknown>): string {
  const defaultText = spec.defaultText === undefined ? "" : ` [${spec.defaultText}]`;
  return `${spec.describe}${choices(spec)}${defaultText}`;
}
