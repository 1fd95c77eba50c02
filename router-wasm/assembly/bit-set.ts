// Bit sets in memory, bit w for worker w.

// @ts-ignore: decorator
@inline
export function hasBit(set: usize, w: u32): bool {
  return ((<u32>load<u8>(set + (w >> 3)) >> (w & 7)) & 1) != 0;
}

// @ts-ignore: decorator
@inline
export function setBit(set: usize, w: u32): void {
  const at = set + (w >> 3);
  store<u8>(at, <u8>(<u32>load<u8>(at) | (<u32>1 << (w & 7))));
}

// @ts-ignore: decorator
@inline
export function clearBit(set: usize, w: u32): void {
  const at = set + (w >> 3);
  store<u8>(at, <u8>(<u32>load<u8>(at) & ~(<u32>1 << (w & 7))));
}
