/**
 * Violations in a page of metrics of the rules of `promtool check metrics` on names and help texts:
 * https://prometheus.io/docs/practices/naming/
 */
export function metricFaults(page: string): string[] {
  const lines = page.split("\n");
  const helps = new Map(lines.flatMap((line) => match(line, /^# HELP (\S+) ?(.*)$/)));
  const types = new Map(lines.flatMap((line) => match(line, /^# TYPE (\S+) (\S+)$/)));
  const faults = [...types].flatMap(([name, type]) => {
    const broken = RULES.filter(([breaks]) => breaks(name, type)).map(([, rule]) => `${name}: ${rule}`);
    return helps.get(name) ? broken : [...broken, `${name}: has no help`];
  });
  for (const line of lines) {
    const [, name, labels = ""] = /^(\w+)(?:\{(.*)\})? /.exec(line) ?? [];
    if (name === undefined) continue;
    const family = types.has(name) ? name : name.replace(/_(bucket|sum|count)$/, "");
    if (!types.has(family)) faults.push(`${name}: has no type`);
    if (/(^|,)le="/.test(labels) && !name.endsWith("_bucket")) faults.push(`${name}: has the label le`);
    if (/(^|,)([a-z]+[A-Z]\w*)="/.test(labels)) faults.push(`${name}: a label is in camelCase`);
  }
  return faults;
}

const match = (line: string, pattern: RegExp): [string, string][] => {
  const [, name, value] = pattern.exec(line) ?? [];
  return name === undefined || value === undefined ? [] : [[name, value]];
};

const RULES: [breaks: (name: string, type: string) => boolean, rule: string][] = [
  [(name, type) => type === "counter" && !name.endsWith("_total"), "a counter ends in _total"],
  [(name, type) => type !== "counter" && name.endsWith("_total"), "only counters end in _total"],
  [(name, type) => type === "counter" && /_(bucket|sum|count)$/.test(name), "ends as a histogram's series"],
  [(name, type) => type === "gauge" && /_(bucket|sum|count)$/.test(name), "ends as a histogram's series"],
  [(name, type) => name.includes(`_${type}`), "names its type"],
  [(name) => !/^[a-z][a-z0-9_]*$/.test(name), "is not lower case with underscores"],
  [
    (name) => /_(ms|s|sec|milliseconds|minutes|hours|days|kb|mb|kilobytes|megabytes)(_|$)/.test(name),
    "is not in a base unit",
  ],
];
