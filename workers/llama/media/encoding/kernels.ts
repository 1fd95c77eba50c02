import type { Foreign, Pointer } from "../native/foreign.ts";

/**
 * Functions by which ggml computes with a type of weights: a row of its table `ggml_type_traits_cpu` (`ggml-cpu.h`). Their
 * signatures, and the formats of the numbers, are alike in all its releases.
 */
interface Kernels {
  /** Converts floats into numbers of the type. */
  readonly fromFloat: bigint;
  /** The dot product of weights of the type with numbers of `dotType`. */
  readonly dot: bigint;
  readonly dotType: number;
  /** How many rows `dot` computes at once. */
  readonly rows: number;
}

const TABLE_ROW_BYTES = 32;
/** Numbers in a test, a multiple of all types' blocks. */
const TESTED = 1024;
const PAGE_BYTES = 4096;
const [PROT_READ, PROT_WRITE] = [1, 2];

/**
 * Makes one library of ggml compute with another one's kernels. The library with mtmd is built for the oldest processors, on
 * which an encoder takes some fifty times as long as on what this processor can do; node-llama-cpp carries kernels for each kind
 * of processor. Only kernels that give the same results on a test are taken.
 * @returns how many types of weights have other kernels now
 */
export function takeKernels(slow: Foreign, fast: Foreign): number {
  if (process.platform !== "linux") return 0;
  for (const { declare } of [slow, fast]) declare("void ggml_cpu_init()")();
  const [slowRow, fastRow] = [slow, fast].map(({ declare }) => declare(TABLE_ROW));
  const computeAlike = testOf(slow);
  let taken = 0;
  for (let type = 0; type < TYPES; type++) {
    const place = slowRow!(type);
    const [own, other] = [kernelsAt(slow, place), kernelsAt(fast, fastRow!(type))];
    const operands = kernelsAt(slow, slowRow!(own.dotType));
    if (computeAlike(type, own, other, operands) && write(slow, place, other)) taken++;
  }
  return taken;
}

const TABLE_ROW = "void* ggml_get_type_traits_cpu(int type)";
/** Types up to this one have been there for long. */
const TYPES = 32;

function kernelsAt({ koffi }: Foreign, place: Pointer): Kernels {
  const row = new BigInt64Array(koffi.view(place, TABLE_ROW_BYTES));
  return {
    ...{ fromFloat: BigInt.asUintN(64, row[0]!), dot: BigInt.asUintN(64, row[1]!) },
    ...{ dotType: Number(BigInt.asIntN(32, row[2]!)), rows: Number(row[3]!) },
  };
}

type Test = (type: number, own: Kernels, other: Kernels, operands: Kernels) => boolean;

/** Tests whether two kernels have the same dot product of some numbers. */
function testOf({ koffi, declare }: Foreign): Test {
  const bytesOf = declare("size_t ggml_row_size(int type, int64 count)");
  const fromFloat = koffi.proto(null, "void", ["float*", "uint8*", "int64"]);
  const dotProduct = koffi.proto(null, "void", [
    ...["int", "void*", "size_t", "uint8*", "size_t", "uint8*", "size_t", "int"],
  ]);
  return (type, own, other, operands) => {
    if (own.dot === 0n || other.dot === 0n) return false;
    if (own.dotType !== other.dotType || own.rows !== other.rows) return false;
    // Weights of some types cannot be made of floats here.
    if (own.fromFloat === 0n || other.fromFloat === 0n || operands.fromFloat === 0n) return false;
    const rowOf = (ofType: number, convert: bigint, values: Float32Array) => {
      const row = new Uint8Array(Number(bytesOf(ofType, TESTED)));
      koffi.call(convert, fromFloat, values, row, TESTED);
      return row;
    };
    const weights = rowOf(type, own.fromFloat, wave(0.7));
    const factors = rowOf(own.dotType, operands.fromFloat, wave(1.3));
    const [ours, theirs] = [own.dot, other.dot].map((kernel) => {
      const result = koffi.alloc("float", 1);
      koffi.call(kernel, dotProduct, TESTED, result, 0, weights, 0, factors, 0, 1);
      return new Float32Array(koffi.view(result, 4))[0]!;
    });
    return Math.abs(ours! - theirs!) < TOLERANCE;
  };
}

/** Of a sum of `TESTED` products of numbers up to 1. */
const TOLERANCE = 0.001;

const wave = (step: number) =>
  Float32Array.from({ length: TESTED }, (_, index) => Math.sin(index * step + step));

/** Writes to the table, which is read-only once the library is loaded. @returns whether that could be done */
function write({ koffi }: Foreign, place: Pointer, { fromFloat, dot }: Kernels): boolean {
  const address = koffi.address(place);
  const first = address - (address % BigInt(PAGE_BYTES));
  const length = Number(address - first) + TABLE_ROW_BYTES;
  const protect = koffi.load(null).func("int mprotect(void* address, size_t length, int protection)");
  if (protect(first, length, PROT_READ | PROT_WRITE) !== 0) return false;
  new BigUint64Array(koffi.view(place, TABLE_ROW_BYTES)).set([fromFloat, dot]);
  protect(first, length, PROT_READ);
  return true;
}
