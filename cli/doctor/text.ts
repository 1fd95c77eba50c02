import type { Check, Diagnosis, EngineDiagnosis } from "#gateway";
import { engineTable } from "../attach/table.ts";

/** A check as it is printed. */
export type Finding = Omit<Check, "id">;

export const ok = (text: string): Finding => ({ status: "ok", text });
export const note = (text: string, cost?: string): Finding => ({ status: "note", text, cost });
export const wrong = (text: string, cost: string, fix: string): Finding => ({
  status: "problem",
  text,
  cost,
  fix,
});

/** What was found about one subject: a part of a cluster, a model's worker. */
export interface Subject {
  readonly name: string;
  readonly checks: readonly Finding[];
}

export interface Report {
  readonly subjects: readonly Subject[];
  /** Whether there is no problem. */
  readonly isWell: boolean;
}

export const reportOf = (subjects: readonly Subject[]): Report => ({
  subjects,
  isWell: subjects.every(({ checks }) => checks.every(({ status }) => status !== "problem")),
});

/** The report as text. @param well its summary if all is well */
export function reportText({ subjects, isWell }: Report, well: string): string {
  const problems = subjects.flatMap(({ checks }) =>
    checks.filter(({ status }) => status === "problem"),
  ).length;
  const found = `${problems} ${problems === 1 ? "problem" : "problems"} found. See WRONG above for what to do.`;
  const sections = subjects.map(({ name, checks }) => section(name, checks));
  return `\n${[...sections, `  ${isWell ? well : found}\n`].join("\n")}`;
}

const MARKS: Record<Check["status"], string> = {
  ok: "ok",
  problem: "WRONG",
  note: "note",
  skipped: "-",
};

const MARK_WIDTH = Math.max(...Object.values(MARKS).map(({ length }) => length));
const WIDTH = 110;

/** The diagnosis as text: the checks of each engine, then a summary. */
export function diagnosisText({ engines, together, isWell }: Diagnosis): string {
  const table = engineTable(engines.map(({ engine }) => ({ ...engine, limitations: [] })));
  const sections = engines.map(({ engine, checks }) => section(engine.name, checks));
  if (together.length > 0) sections.push(section("together", together));
  return `\n${[table, ...sections, summary(engines, together, isWell)].join("\n")}`;
}

/** The checks of one subject. */
export function section(title: string, checks: readonly Finding[]): string {
  return `  ${title}\n${checks.map(checkLines).join("")}`;
}

function checkLines({ status, text, cost, fix, flag }: Finding): string {
  const indent = " ".repeat(4 + MARK_WIDTH + 2);
  const lines = [`    ${MARKS[status].padEnd(MARK_WIDTH)}  ${wrapped(text, indent)}`];
  if (cost !== undefined) lines.push(`${indent}What it costs: ${wrapped(cost, `${indent}  `)}`);
  if (fix !== undefined) lines.push(`${indent}What to do: ${wrapped(fix, `${indent}  `)}`);
  // On a line of its own, for copying.
  if (flag !== undefined) lines.push(`${indent}  ${flag}`);
  return `${lines.join("\n")}\n`;
}

function summary(engines: readonly EngineDiagnosis[], together: readonly Check[], isWell: boolean): string {
  if (isWell) {
    const isProved = engines.every(({ checks }) =>
      checks.some(({ id, status }) => id === "prediction" && status === "ok"),
    );
    return isProved
      ? "  All is well: the router knows what each engine's cache holds, and the engines reuse it.\n"
      : "  Nothing is wrong that could be fixed, but not everything could be proved; see the notes.\n";
  }
  const problems = [...engines.flatMap(({ checks }) => checks), ...together].filter(isProblem).length;
  const names = engines.filter(({ checks }) => checks.some(isProblem)).map(({ engine }) => engine.name);
  const where = names.length > 0 ? `: ${names.join(", ")}` : "";
  return `  ${problems} ${problems === 1 ? "problem" : "problems"} found${where}. See WRONG above for what to do.\n`;
}

const isProblem = ({ status }: Check) => status === "problem";

/** Wraps text into lines. */
function wrapped(text: string, indent: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && indent.length + line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].join(`\n${indent}`);
}
