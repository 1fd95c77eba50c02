import type { TextLine } from "./messages.ts";

/** The lines as plain text: a row a line, with tabs between what stands beside each other. */
export function pageText(lines: readonly TextLine[]): string {
  const rows: string[] = [];
  for (const { text, row } of lines) rows[row] = rows[row] === undefined ? text : `${rows[row]}\t${text}`;
  return rows.join("\n");
}
