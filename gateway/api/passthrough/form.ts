import { partsOf, type Range } from "../../kernel/multipart.ts";

/** The model named in a `multipart/form-data` body. */
export interface ModelInForm {
  readonly name: string;
  /** Where the name is in the body. */
  readonly range: Range;
}

/**
 * The field `model` of a form; if there are several, the last one, as engines do.
 * @param type the header `content-type`, which names the boundary
 */
export function modelInForm(body: Uint8Array, type: string): ModelInForm | undefined {
  const range = partsOf(body, type)?.findLast(
    ({ name, filename }) => name === "model" && filename === undefined,
  )?.range;
  return range && { name: new TextDecoder().decode(body.subarray(...range)), range };
}
