// All runs in the order in which they were last stored, for eviction of the oldest.
import { linksOf, NEWER, OLDER } from "./run";
import { cursor, setCursor } from "./snapshot-state";

export let oldest: usize = 0;
let newest: usize = 0;

export function addNewest(run: usize): void {
  const links = linksOf(run);
  store<u32>(links, newest, OLDER);
  store<u32>(links, 0, NEWER);
  if (newest) store<u32>(linksOf(newest), run, NEWER);
  else oldest = run;
  newest = run;
}

export function removeFromAge(run: usize): void {
  const older = load<u32>(linksOf(run), OLDER);
  const newer = load<u32>(linksOf(run), NEWER);
  if (run == cursor) setCursor(newer);
  if (older) store<u32>(linksOf(older), newer, NEWER);
  else oldest = newer;
  if (newer) store<u32>(linksOf(newer), older, OLDER);
  else newest = older;
}

export function makeNewest(run: usize): void {
  if (run == newest) return;
  removeFromAge(run);
  addNewest(run);
}
