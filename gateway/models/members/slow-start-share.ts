/** The least that a member gets which has just come. */
const LEAST_SHARE = 0.1;

/** What share of its requests a member gets that has been ready for so long, 0 to 1. */
export const slowStartShare = (readyMs: number, slowStartMs: number): number =>
  slowStartMs <= 0 ? 1 : Math.min(1, Math.max(LEAST_SHARE, readyMs / slowStartMs));
