/** One sample in Prometheus' text format. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/**
 * The samples of the metric `name`, in order; skips unreadable lines and NaN. Parses only that metric's lines,
 * because an engine has thousands of others.
 */
export function samplesOf(text: string, name: string): Sample[] {
  const samples: Sample[] = [];
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + name.length)) {
    if (at > 0 && text[at - 1] !== "\n") continue;
    const end = text.indexOf("\n", at);
    const sample = readSample(text.slice(at + name.length, end < 0 ? undefined : end));
    if (sample !== undefined) samples.push(sample);
  }
  return samples;
}

/**
 * The sum of the samples accepted by `wanted`, of the first of the metrics `names` that has any; undefined if none
 * has.
 */
export function sumOf(text: string, names: readonly string[], wanted?: Wanted): number | undefined {
  const values = firstValues(text, names, wanted);
  return values.length > 0 ? total(values) : undefined;
}

/** The mean of the same samples. */
export function meanOf(text: string, names: readonly string[], wanted?: Wanted): number | undefined {
  const values = firstValues(text, names, wanted);
  return values.length > 0 ? total(values) / values.length : undefined;
}

type Wanted = (labels: Sample["labels"]) => boolean;

/** The values of the first metric with wanted samples. */
function firstValues(text: string, names: readonly string[], wanted: Wanted = () => true): number[] {
  for (const name of names) {
    const samples = samplesOf(text, name).filter(({ labels }) => wanted(labels));
    if (samples.length > 0) return samples.map(({ value }) => value);
  }
  return [];
}

const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);

/** Parses what follows the name: optional labels, the value, and an optional timestamp. */
function readSample(rest: string): Sample | undefined {
  const match = /^(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?[ \t]+(\S+)/.exec(rest);
  if (match === null) return undefined;
  const [, labels = "", number = ""] = match;
  const value = Number(number.replace(/^([+-]?)Inf$/i, "$1Infinity"));
  return Number.isNaN(value) ? undefined : { labels: readLabels(labels), value };
}

function readLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [, name = "", value = ""] of text.matchAll(/([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g)) {
    labels[name] = value.replace(/\\(.)/g, (_, letter: string) => (letter === "n" ? "\n" : letter));
  }
  return labels;
}
