import { describeToolFormat } from "../parsers.suite.ts";
import { nemotron } from "./nemotron.ts";

describeToolFormat({
  format: nemotron,
  write: (calls) => `<TOOLCALL>${JSON.stringify(calls)}</TOOLCALL>`,
  lookalikes: [
    "<TOOLCALL",
    "A <TOOLCALL> begins calls.",
    "<TOOLCALL>[]</TOOLCALL>",
    "<TOOLCALL>[1]</TOOLCALL>",
  ],
});
