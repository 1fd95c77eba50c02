// Progress of the current snapshot (snapshot.ts), for code that changes runs and their order.

/** The next run to copy, if it has not been copied already; 0 if there is none. */
export let cursor: usize = 0;
/** The value of the flag `COPIED` in copied runs. It alternates with each snapshot, so that no flag must be reset. */
export let copiedFlag: u8 = 0;

export function setCursor(run: usize): void {
  cursor = run;
}

export function flipCopied(flag: u8): void {
  copiedFlag ^= flag;
}
