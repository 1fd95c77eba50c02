export const METRICS_TYPE = "text/plain; version=1.0.0; charset=utf-8";

/** A metric in Prometheus' text format. */
export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge";
  readonly samples: readonly { labels?: Readonly<Record<string, string>>; value: number }[];
}

/** Formats metrics as engines do. */
export function writeMetrics(metrics: readonly Metric[]): string {
  return metrics
    .map(({ name, help, type, samples }) => {
      const lines = samples.map(({ labels = {}, value }) => {
        const pairs = Object.entries(labels).map(([key, text]) => `${key}="${text}"`);
        return `${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${value}`;
      });
      const family = type === "counter" ? name.replace(/_total$/, "") : name;
      return [`# HELP ${family} ${help}`, `# TYPE ${family} ${type}`, ...lines, ""].join("\n");
    })
    .join("");
}
