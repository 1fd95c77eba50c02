/** SipHash-2-4 by its paper (Aumasson and Bernstein, 2012), for tests. */
export function referenceSipHash(key: Uint8Array, message: Uint8Array): bigint {
  const words = (bytes: Uint8Array) => new BigUint64Array(bytes.slice().buffer);
  const [k0, k1] = words(key) as unknown as [bigint, bigint];
  const v: [bigint, bigint, bigint, bigint] = [
    k0 ^ 0x736f6d6570736575n,
    k1 ^ 0x646f72616e646f6dn,
    k0 ^ 0x6c7967656e657261n,
    k1 ^ 0x7465646279746573n,
  ];
  const padded = new Uint8Array((Math.floor(message.length / 8) + 1) * 8);
  padded.set(message);
  padded[padded.length - 1] = message.length;
  for (const word of words(padded)) {
    v[3] ^= word;
    round(v);
    round(v);
    v[0] ^= word;
  }
  v[2] ^= 0xffn;
  for (let i = 0; i < 4; i++) round(v);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

function round(v: [bigint, bigint, bigint, bigint]): void {
  const halfRound = (a: 0 | 2, b: 1 | 3, by: bigint) => {
    v[a] = BigInt.asUintN(64, v[a] + v[b]);
    v[b] = rotated(v[b], by) ^ v[a];
  };
  halfRound(0, 1, 13n);
  halfRound(2, 3, 16n);
  v[0] = rotated(v[0], 32n);
  halfRound(0, 3, 21n);
  halfRound(2, 1, 17n);
  v[2] = rotated(v[2], 32n);
}

const rotated = (word: bigint, by: bigint) => BigInt.asUintN(64, (word << by) | (word >> (64n - by)));
