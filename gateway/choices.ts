/** The names from which options choose, for processes that start no gateway and should not load one. */

export { parseHttpUrl } from "./models/members/engine-url.ts";
export { REASONING_PARSERS, TOOL_PARSERS } from "./parsers/formats.ts";
export { DEFAULT_DISAGGREGATION } from "./routing/disaggregation/options.ts";
export { POLICY_NAMES } from "./routing/policies/policies.ts";
