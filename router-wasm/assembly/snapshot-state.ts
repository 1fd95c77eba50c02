// How far the snapshot that is being made has come (snapshot.ts): what runs and their order must know of it.

/** The next run to copy, unless it has been; 0 when there is none. */
export let cursor: usize = 0;
/** What the flag `COPIED` says of runs that are in the snapshot: another value each time, so that none need be reset. */
export let copiedFlag: u8 = 0;

export function setCursor(run: usize): void {
  cursor = run;
}

export function flipCopied(flag: u8): void {
  copiedFlag ^= flag;
}
