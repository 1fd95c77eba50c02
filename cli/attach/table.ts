import type { EngineReport } from "#gateway";

const KINDS: Record<NonNullable<EngineReport["kind"]>, string> = {
  vllm: "vLLM",
  sglang: "SGLang",
  "tensorrt-llm": "TensorRT-LLM",
  "llama.cpp": "llama.cpp",
  openai: "OpenAI API",
};

const HEAD = ["engine", "kind", "models", "context", "KV blocks", "KV events", "prompt tokens from"];

/** The engines as a table, and under it their limitations with the flags that fix them. */
export function engineTable(engines: readonly EngineReport[]): string {
  const rows = [HEAD, ...engines.map(rowOf)];
  // A shorter row ends in a sentence, which does not count for column widths.
  const columns = rows.filter(({ length }) => length === HEAD.length);
  const widths = HEAD.map((_, column) =>
    Math.max(...(column === 0 ? rows : columns).map((row) => row[column]!.length)),
  );
  const lines = rows.map(
    (row) =>
      `  ${row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd()}`,
  );
  const limitations = engines.flatMap(limitationLines);
  return `${[...lines, ...(limitations.length > 0 ? ["", ...limitations] : [])].join("\n")}\n`;
}

function rowOf(engine: EngineReport): string[] {
  const { name, state, kind, version, role, models, blockSize, totalBlocks, reason } = engine;
  if (kind === undefined) return [name, state === "down" ? `not up yet: ${reason}` : state];
  const contexts = new Set(models.map(({ contextLength }) => contextLength?.toLocaleString("en") ?? "?"));
  const blocks = blockSize === undefined ? "?" : `${totalBlocks?.toLocaleString("en") ?? "?"} × ${blockSize}`;
  return [
    name,
    [KINDS[kind], version, role !== "aggregated" && `(${role})`].filter(Boolean).join(" "),
    models.map(modelNames).join(", "),
    [...contexts].join(", "),
    blocks,
    eventsOf(engine),
    [...new Set(models.map(({ tokens }) => tokens))].join(", "),
  ];
}

function modelNames({ name, aliases, adapters }: EngineReport["models"][number]): string {
  const more = [...aliases.map((alias) => `= ${alias}`), ...adapters.map((adapter) => `+ ${adapter}`)];
  return [name, ...more].join(" ");
}

function eventsOf({ kvEvents, dataParallelSize }: EngineReport): string {
  if (kvEvents.kind === "none") return "none: predicted";
  if (kvEvents.kind === "poll") return "polled";
  return dataParallelSize > 1 ? `ZeroMQ, ${dataParallelSize} ranks` : "ZeroMQ";
}

function limitationLines({ name, limitations }: EngineReport): string[] {
  return limitations.map(({ code, what, flag }) => {
    const fix = flag ?? (code === "tokenizer" ? "Stator's own --tokenizer DIR" : undefined);
    return `  ${name}: ${what}${fix === undefined ? "" : `\n    fix it with ${fix}`}`;
  });
}
