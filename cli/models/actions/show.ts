import { textTable } from "../../text-table.ts";
import { byteText } from "../byte-text.ts";
import { findPlace, readStored } from "../stored.ts";
import { type ModelsAction, printResult } from "./context.ts";
import { describeModel, describeStored, presenceOf } from "./describe.ts";

/** Tells all that is known about the named models. */
export const showModels: ModelsAction = async (context) => {
  const { folder, names } = context;
  const values = await Promise.all(
    names.map(async (name) => {
      const place = await findPlace(name, folder);
      const stored = await readStored(place);
      return {
        name: place.name,
        ...(place.catalogue && describeModel(place.catalogue)),
        here: presenceOf(stored),
        file: stored === undefined ? null : describeStored(stored),
      };
    }),
  );
  printResult(context, values, values.map(asText).join("\n\n"));
  return 0;
};

function asText({ file, ...facts }: Record<string, unknown> & { file: object | null }): string {
  const rows = Object.entries({ ...facts, ...file }).flatMap(([name, value]) =>
    value === null || value === false ? [] : [[name.replaceAll("_", " "), valueText(name, value)]],
  );
  return textTable(rows);
}

function valueText(name: string, value: unknown): string {
  if (typeof value !== "number") return value === true ? "yes" : String(value);
  return name === "bytes" || name === "memory" ? byteText(value) : value.toLocaleString("en");
}
