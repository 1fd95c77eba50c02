// Reads msgpack in place. Unexpected or truncated input sets `isUnusual` and is left to the host; reading then
// continues within the bytes, with meaningless results. The input must be followed by 16 more readable bytes.

let at: usize = 0;
let end: usize = 0;
export let isUnusual: bool = false;

export function openBytes(from: usize, length: usize): void {
  at = from;
  end = from + length;
  isUnusual = false;
}

/** Whether the whole input has been read, and nothing beyond it. */
export function isRead(): bool {
  return at == end;
}

export function noteUnusual(): void {
  isUnusual = true;
}

// @ts-ignore: decorator
@inline
function pass(bytes: usize): void {
  at += bytes;
  if (at > end) {
    isUnusual = true;
    at = end;
  }
}

/** Reads nil, if it is next. Returns whether it was. */
export function readNil(): bool {
  if (load<u8>(at) != 0xc0) return false;
  pass(1);
  return true;
}

/** The first byte of the next value. */
// @ts-ignore: decorator
@inline
export function nextTag(): u32 {
  return load<u8>(at);
}

/** Reads an array header. Returns the number of elements, each of which has at least one byte. */
export function readArray(): u32 {
  const tag = load<u8>(at);
  let length: u32 = 0;
  if ((tag & 0xf0) == 0x90) {
    length = tag & 15;
    pass(1);
  } else if (tag == 0xdc) {
    length = bswap<u16>(load<u16>(at, 1));
    pass(3);
  } else if (tag == 0xdd) {
    length = bswap<u32>(load<u32>(at, 1));
    pass(5);
  } else {
    isUnusual = true;
  }
  return bounded(length);
}

/** Reads a map header. Returns the number of keys. */
export function readMap(): u32 {
  const tag = load<u8>(at);
  let length: u32 = 0;
  if ((tag & 0xf0) == 0x80) {
    length = tag & 15;
    pass(1);
  } else if (tag == 0xde) {
    length = bswap<u16>(load<u16>(at, 1));
    pass(3);
  } else {
    isUnusual = true;
  }
  return bounded(length);
}

function bounded(length: u32): u32 {
  if (<usize>length <= end - at) return length;
  isUnusual = true;
  return 0;
}

export let stringLength: u32 = 0;

/** Reads a string. Returns its address; its length is `stringLength`. */
export function readString(): usize {
  const tag = load<u8>(at);
  if ((tag & 0xe0) == 0xa0) {
    stringLength = tag & 31;
    pass(1);
  } else if (tag == 0xd9) {
    stringLength = load<u8>(at, 1);
    pass(2);
  } else {
    stringLength = 0;
    isUnusual = true;
    return at;
  }
  const string = at;
  pass(stringLength);
  return string;
}

/** Reads an integer; negative ones are in two's complement. */
export function readInteger(): u64 {
  const tag = load<u8>(at);
  if (tag < 0x80) {
    pass(1);
    return tag;
  }
  if (tag >= 0xe0) {
    pass(1);
    return <u64>(<i64>(<i8>tag));
  }
  const bytes: usize = <usize>1 << (tag & 3);
  if (tag < 0xcc || tag > 0xd3) {
    isUnusual = true;
    return 0;
  }
  const raw = bswap<u64>(load<u64>(at, 1)) >> (64 - (bytes << 3));
  pass(1 + bytes);
  if (tag < 0xd0) return raw;
  const shift: u64 = 64 - (<u64>bytes << 3);
  return <u64>((<i64>raw << shift) >> shift);
}

export let bytesLength: u32 = 0;

/** Reads a byte string. Returns its address; its length is `bytesLength`. */
export function readBytes(): usize {
  const tag = load<u8>(at);
  bytesLength = 0;
  if (tag < 0xc4 || tag > 0xc6) {
    isUnusual = true;
    return at;
  }
  let length: usize = 0;
  if (tag == 0xc4) {
    length = load<u8>(at, 1);
    pass(2);
  } else if (tag == 0xc5) {
    length = bswap<u16>(load<u16>(at, 1));
    pass(3);
  } else {
    length = bswap<u32>(load<u32>(at, 1));
    pass(5);
  }
  if (length > end - at) {
    isUnusual = true;
    return at;
  }
  const bytes = at;
  bytesLength = <u32>length;
  pass(length);
  return bytes;
}

/** Reads a hash: an integer, or the last eight bytes of a byte string, big-endian. */
export function readHash(): u64 {
  const tag = load<u8>(at);
  if (tag < 0xc4 || tag > 0xc6) return readInteger();
  readBytes();
  const length = <usize>bytesLength;
  if (length >= 8) return bswap<u64>(load<u64>(at - 8));
  return length ? bswap<u64>(load<u64>(at - length)) >> (64 - (length << 3)) : 0;
}

/** Reads `count` integers of 32 bits into `to`, as u32. At least `count` bytes must be left. */
export function readNumbers(count: u32, to: usize): void {
  const stop = to + (<usize>count << 2);
  let from = at;
  for (; to < stop && from < end; to += 4) {
    const tag = load<u8>(from);
    if (tag < 0x80) {
      store<u32>(to, tag);
      from += 1;
    } else if (tag == 0xcd) {
      store<u32>(to, bswap<u16>(load<u16>(from, 1)));
      from += 3;
    } else if (tag == 0xce) {
      store<u32>(to, bswap<u32>(load<u32>(from, 1)));
      from += 5;
    } else if (tag == 0xcc) {
      store<u32>(to, load<u8>(from, 1));
      from += 2;
    } else {
      at = from;
      const number = readInteger();
      if (number > 0xffffffff) isUnusual = true;
      store<u32>(to, <u32>number);
      from = at;
    }
  }
  if (to < stop) isUnusual = true;
  at = from;
  pass(0);
}

/** Skips the next value. */
export function skip(): void {
  for (let left: u64 = 1; left && !isUnusual; left--) {
    if (at == end) {
      isUnusual = true;
      return;
    }
    const tag = load<u8>(at);
    if (tag < 0x80 || tag >= 0xe0 || tag == 0xc0 || tag == 0xc2 || tag == 0xc3) pass(1);
    else if (tag < 0x90) {
      left += (tag & 15) << 1;
      pass(1);
    } else if (tag < 0xa0) {
      left += tag & 15;
      pass(1);
    } else if (tag < 0xc0) pass(1 + (tag & 31));
    else left += skipLong(tag);
  }
}

/** Skips a value, or the header of an array or map. Returns the number of values in it. */
function skipLong(tag: u32): u64 {
  if (tag == 0xc1) isUnusual = true;
  else if (tag >= 0xcc && tag <= 0xd3) pass(1 + (<usize>1 << (tag & 3)));
  else if (tag == 0xca) pass(5);
  else if (tag == 0xcb) pass(9);
  else if (tag >= 0xd4 && tag <= 0xd8) pass(2 + (<usize>1 << (tag - 0xd4)));
  else if (tag == 0xc4 || tag == 0xd9) pass(2 + <usize>load<u8>(at, 1));
  else if (tag == 0xc5 || tag == 0xda) pass(3 + <usize>bswap<u16>(load<u16>(at, 1)));
  else if (tag == 0xc6 || tag == 0xdb) passLong(5, bswap<u32>(load<u32>(at, 1)));
  else if (tag == 0xc7) pass(3 + <usize>load<u8>(at, 1));
  else if (tag == 0xc8) pass(4 + <usize>bswap<u16>(load<u16>(at, 1)));
  else if (tag == 0xc9) passLong(6, bswap<u32>(load<u32>(at, 1)));
  else {
    const long = tag == 0xdd || tag == 0xdf;
    const values = long ? <u64>bswap<u32>(load<u32>(at, 1)) : <u64>bswap<u16>(load<u16>(at, 1));
    pass(long ? 5 : 3);
    return tag >= 0xde ? values << 1 : values;
  }
  return 0;
}

/** Skips a value whose length may be so large that adding it would overflow. */
function passLong(head: usize, length: u32): void {
  pass(head);
  if (<usize>length > end - at) isUnusual = true;
  else pass(length);
}
