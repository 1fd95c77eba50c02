import { passArguments } from "../reading/json-arguments.ts";
import { functionName } from "../reading/names.ts";
import type { ToolFormat } from "../types.ts";

const SECTION_BEGIN = "<｜tool▁calls▁begin｜>";
const SECTION_END = "<｜tool▁calls▁end｜>";
const CALL_BEGIN = "<｜tool▁call▁begin｜>";
const CALL_END = "<｜tool▁call▁end｜>";
export const SEPARATOR = "<｜tool▁sep｜>";

/** What a version writes around a call's name and arguments. */
interface DeepseekOptions extends Pick<ToolFormat, "name" | "matches"> {
  readonly before: string;
  readonly between: string;
  readonly after: string;
}

/**
 * DeepSeek's calls before V3.2. Models of one version sometimes write those of another, so both are read: what follows
 * the separator tells them apart.
 */
export const deepseekFormat = ({ before, between, after, ...options }: DeepseekOptions): ToolFormat => ({
  ...options,
  syntax: {
    begins: [SECTION_BEGIN],
    forms: [
      {
        ...{ kind: "named", before: CALL_BEGIN + before, between, after: after + CALL_END },
        ...{ more: "", end: SECTION_END },
      },
    ],
  },
  begins: [SECTION_BEGIN, CALL_BEGIN],
  ends: [CALL_END, SECTION_END],
  controls: [SECTION_BEGIN, SECTION_END, CALL_BEGIN, CALL_END, SEPARATOR],
  *read(reader, calls, { begin }) {
    if (begin === SECTION_BEGIN) {
      yield* reader.skipSpace();
      yield* reader.expect(CALL_BEGIN);
    }
    do {
      const first = (yield* reader.textPast([SEPARATOR])).text;
      yield* reader.skipSpace();
      const next = yield* reader.peek();
      const isAfter = next !== "{" && next !== "<";
      const name = functionName(isAfter ? yield* reader.while(/[^\s{`<]/) : first);
      yield* reader.skipSpace();
      const isFenced = yield* reader.tryText("```");
      if (isFenced) yield* reader.tryText("json");
      yield* passArguments(reader, calls, name, { ends: [CALL_END] });
      yield* reader.skipSpace();
      if (isFenced) yield* reader.tryText("```");
      yield* reader.skipSpace();
      yield* reader.tryText(CALL_END);
      yield* reader.skipSpace();
    } while (yield* reader.tryText(CALL_BEGIN));
    yield* reader.tryText(SECTION_END);
  },
});
