import type { Check, Diagnosis, EngineDiagnosis } from "#gateway";
import { engineTable } from "../attach/table.ts";

const MARKS: Record<Check["status"], string> = {
  ok: "ok",
  problem: "WRONG",
  note: "note",
  skipped: "-",
};

const MARK_WIDTH = Math.max(...Object.values(MARKS).map(({ length }) => length));
const WIDTH = 110;

/** What the doctor has found, for people: what it saw of each engine, and at the end what that means. */
export function diagnosisText({ engines, together, isWell }: Diagnosis): string {
  const table = engineTable(engines.map(({ engine }) => ({ ...engine, limitations: [] })));
  const sections = engines.map(({ engine, checks }) => section(engine.name, checks));
  if (together.length > 0) sections.push(section("together", together));
  return `\n${[table, ...sections, summary(engines, together, isWell)].join("\n")}`;
}

function section(title: string, checks: readonly Check[]): string {
  return `  ${title}\n${checks.map(checkLines).join("")}`;
}

function checkLines({ status, text, cost, fix, flag }: Check): string {
  const indent = " ".repeat(4 + MARK_WIDTH + 2);
  const lines = [`    ${MARKS[status].padEnd(MARK_WIDTH)}  ${wrapped(text, indent)}`];
  if (cost !== undefined) lines.push(`${indent}What it costs: ${wrapped(cost, `${indent}  `)}`);
  if (fix !== undefined) lines.push(`${indent}What to do: ${wrapped(fix, `${indent}  `)}`);
  // A line of its own, so that it can be copied.
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
      : "  Nothing is wrong that could be mended, but not everything could be proved; see the notes.\n";
  }
  const problems = [...engines.flatMap(({ checks }) => checks), ...together].filter(isProblem).length;
  const names = engines.filter(({ checks }) => checks.some(isProblem)).map(({ engine }) => engine.name);
  const where = names.length > 0 ? `: ${names.join(", ")}` : "";
  return `  ${problems} ${problems === 1 ? "thing is" : "things are"} wrong${where}. See WRONG above for what to do.\n`;
}

const isProblem = ({ status }: Check) => status === "problem";

/** Breaks a sentence into lines. */
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
