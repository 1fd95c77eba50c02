import type { ApiKey } from "#gateway";

const HEAD = ["id", "models", "requests/min", "tokens/min", "expires", "admin"];

/** A key file's keys as a table, without their hashes. */
export function keyTable(keys: readonly ApiKey[], now: number): string {
  const rows = [HEAD, ...keys.map((key) => rowOf(key, now))];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: string[]) => row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ");
  return rows.map((row) => line(row).trimEnd()).join("\n");
}

function rowOf(key: ApiKey, now: number): string[] {
  const { id, models, requestsPerMinute, tokensPerMinute, expiresAt, isAdmin } = key;
  return [
    id,
    models?.join(", ") ?? "all",
    requestsPerMinute?.toLocaleString("en") ?? "any",
    tokensPerMinute?.toLocaleString("en") ?? "any",
    expiresAt === undefined ? "never" : expiryOf(expiresAt, now),
    isAdmin ? "yes" : "no",
  ];
}

const expiryOf = (expiresAt: number, now: number) =>
  `${new Date(expiresAt).toISOString().slice(0, 16)}Z${expiresAt <= now ? " (expired)" : ""}`;
