/**
 * Weighted rendezvous hashing: whoever scores highest for a key has it. When one comes or goes, only its keys move, and
 * each has a share of the keys in proportion to its weight.
 * @param key of 32 bits, as `owner` is
 * @returns above 0; 0 for a weight of 0
 */
export function rendezvousScore(key: number, owner: number, weight = 1): number {
  const hash = (mix(key ^ mix(owner)) + 0.5) / 2 ** 32;
  return weight > 0 ? -weight / Math.log(hash) : 0;
}

/** 32 bits: FNV-1a. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

export function hashTokens(tokens: Uint32Array): number {
  let hash = 0x811c9dc5;
  for (const token of tokens) hash = mix(hash ^ token);
  return hash;
}

/** MurmurHash3's last step: every bit of the number changes half of the result's. */
function mix(number: number): number {
  let hash = Math.imul(number ^ (number >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
