import type { Head } from "../format.ts";

/** Readers accept a header anywhere in the first kilobyte; this one in the head (ISO 32000-1, annex H, note 13). */
export function isPdf(head: Head): boolean {
  return head.text(0, 64).includes("%PDF-");
}
