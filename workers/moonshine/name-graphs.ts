/** Fields of ONNX's messages: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto */
const MODEL_GRAPH = 7;
const GRAPH_NODE = 1;
const GRAPH_NAME = 2;
const NODE_ATTRIBUTE = 5;
const ATTRIBUTE_GRAPH = 6;

/**
 * Names the graphs inside an ONNX model that have no name, such as the branches of an `If`: ONNX Runtime writes them so when
 * it converts its own format, and then refuses to read them.
 * @param model a `ModelProto`
 */
export function nameGraphs(model: Uint8Array): Uint8Array {
  let count = 0;
  const attribute = (bytes: Uint8Array) => rewrite(bytes, ATTRIBUTE_GRAPH, graph);
  const node = (bytes: Uint8Array) => rewrite(bytes, NODE_ATTRIBUTE, attribute);
  const graph = (bytes: Uint8Array): Uint8Array => {
    const isNamed = [...fieldsOf(bytes)].some(
      ({ number, content }) => number === GRAPH_NAME && content?.length,
    );
    const named = rewrite(bytes, GRAPH_NODE, node);
    if (isNamed) return named;
    return Buffer.concat([named, ...delimited(GRAPH_NAME, new TextEncoder().encode(`graph_${count++}`))]);
  };
  return rewrite(model, MODEL_GRAPH, graph);
}

/** The message with one of its fields changed. */
function rewrite(
  message: Uint8Array,
  field: number,
  change: (content: Uint8Array) => Uint8Array,
): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const { number, content, whole } of fieldsOf(message)) {
    if (number === field && content !== undefined) parts.push(...delimited(number, change(content)));
    else parts.push(whole);
  }
  return Buffer.concat(parts);
}

interface Field {
  readonly number: number;
  /** Of a length-delimited field. */
  readonly content: Uint8Array | undefined;
  /** The field with its tag. */
  readonly whole: Uint8Array;
}

/** https://protobuf.dev/programming-guides/encoding/ */
const [VARINT, FIXED64, DELIMITED, FIXED32] = [0, 1, 2, 5];

function* fieldsOf(message: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = () => {
    let [value, factor] = [0, 1];
    for (;;) {
      const byte = message[at++];
      if (byte === undefined) throw new Error("The ONNX model is cut off.");
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
    }
  };
  while (at < message.length) {
    const start = at;
    const tag = varint();
    let content: Uint8Array | undefined;
    switch (tag % 8) {
      case VARINT:
        varint();
        break;
      case FIXED64:
        at += 8;
        break;
      case DELIMITED: {
        const length = varint();
        content = message.subarray(at, at + length);
        at += length;
        break;
      }
      case FIXED32:
        at += 4;
        break;
      default:
        throw new Error("The ONNX model is not valid protobuf.");
    }
    yield { number: Math.floor(tag / 8), content, whole: message.subarray(start, at) };
  }
}

const delimited = (number: number, content: Uint8Array): Uint8Array[] => [
  Uint8Array.from([...varintOf(number * 8 + DELIMITED), ...varintOf(content.length)]),
  content,
];

function varintOf(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varintOf(Math.floor(value / 128))];
}
