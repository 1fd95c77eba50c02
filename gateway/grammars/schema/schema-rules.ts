import type { Item, Rules } from "../gbnf/rules.ts";
import type { JsonRules } from "../json-rules.ts";
import type { Conjunction, Located } from "./located.ts";

/** What the parts of a schema need to become rules. */
export interface SchemaRules {
  readonly json: JsonRules;
  readonly rules: Rules;
  /** The whole schema: references are relative to it. */
  readonly root: Located;
  /**
   * The rule for a value that satisfies all schemas.
   * @param hint what the rule's name begins with
   */
  value(conjunction: Conjunction, hint: string): Item;
}
