/**
 * Weighted rendezvous hashing: the owner with the highest score for a key gets it. When an owner joins or leaves, only
 * its keys move, and each owner's share of the keys is proportional to its weight.
 * @param key 32 bits
 * @param owner 32 bits
 * @returns a positive number, or 0 for a weight of 0
 */
export function rendezvousScore(key: number, owner: number, weight = 1): number {
  const hash = (mix(key ^ mix(owner)) + 0.5) / 2 ** 32;
  return weight > 0 ? -weight / Math.log(hash) : 0;
}

/** FNV-1a, 32 bits. */
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

/** The finaliser of MurmurHash3: every input bit affects every output bit with probability one half. */
function mix(number: number): number {
  let hash = Math.imul(number ^ (number >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
