import type { Automaton } from "./automata/automaton.ts";
import { compilePattern } from "./regex/compile.ts";

const DAY_OF_MONTH = [
  "(0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])",
  "(0[469]|11)-(0[1-9]|[12]\\d|30)",
  "02-(0[1-9]|1\\d|2[0-8])",
].join("|");
const LEAP_YEAR = "(\\d\\d(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)";
const DATE = `(\\d{4}-(${DAY_OF_MONTH})|${LEAP_YEAR}-02-29)`;

/** Without leap seconds, which only some days have. */
const CLOCK = "([01]\\d|2[0-3]):[0-5]\\d";
const TIME = `${CLOCK}:[0-5]\\d(\\.\\d{1,9})?(Z|[+-]${CLOCK})`;

const BYTE = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const IPV4 = `${BYTE}(\\.${BYTE}){3}`;
const H16 = "[0-9A-Fa-f]{1,4}";
/** The last 32 bits. */
const LS32 = `(${H16}:${H16}|${IPV4})`;
/** As RFC 3986 lists them: how many groups may be before and after the `::`. */
const IPV6 = [
  `(${H16}:){6}${LS32}`,
  `::(${H16}:){5}${LS32}`,
  `(${H16})?::(${H16}:){4}${LS32}`,
  `((${H16}:){0,1}${H16})?::(${H16}:){3}${LS32}`,
  `((${H16}:){0,2}${H16})?::(${H16}:){2}${LS32}`,
  `((${H16}:){0,3}${H16})?::${H16}:${LS32}`,
  `((${H16}:){0,4}${H16})?::${LS32}`,
  `((${H16}:){0,5}${H16})?::${H16}`,
  `((${H16}:){0,6}${H16})?::`,
].join("|");

const ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
const LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
const EMAIL = `${ATOM}(\\.${ATOM})*@(${LABEL}\\.)+${LABEL}`;

const URI_CHARACTER = "([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})";
const URI_HOST = "([A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+(:\\d{1,5})?";
const URI_REST = `(\\?(${URI_CHARACTER}|[/?])*)?(#(${URI_CHARACTER}|[/?])*)?`;
/** The kinds with a host, such as https, and those without, such as mailto. */
const URI = `[A-Za-z][A-Za-z0-9+.-]*:(//${URI_HOST}(/${URI_CHARACTER}*)*|${URI_CHARACTER}+(/${URI_CHARACTER}*)*)${URI_REST}`;

const PERIOD = "(\\d{1,9}D|\\d{1,9}W|\\d{1,9}M(\\d{1,9}D)?|\\d{1,9}Y(\\d{1,9}M(\\d{1,9}D)?)?)";
const SECONDS = "\\d{1,9}S";
const MINUTES = `\\d{1,9}M(${SECONDS})?`;
const CLOCK_PERIOD = `T(\\d{1,9}H(${MINUTES})?|${MINUTES}|${SECONDS})`;

const PATTERNS: Readonly<Record<string, string>> = {
  date: DATE,
  time: TIME,
  "date-time": `${DATE}T${TIME}`,
  duration: `P(${PERIOD.replace("\\d{1,9}W|", "")}(${CLOCK_PERIOD})?|${CLOCK_PERIOD}|\\d{1,9}W)`,
  email: EMAIL,
  ipv4: IPV4,
  ipv6: IPV6,
  uri: URI,
  uuid: "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
};

/** The formats of strings that a grammar can keep to. */
export const FORMATS = Object.keys(PATTERNS);

const compiled = new Map<string, Automaton>();

/** The strings of a format; undefined if it is not one of `FORMATS`. */
export function formatAutomaton(format: string): Automaton | undefined {
  if (!Object.hasOwn(PATTERNS, format)) return undefined;
  const known = compiled.get(format);
  if (known !== undefined) return known;
  const automaton = compilePattern(PATTERNS[format]!, false);
  compiled.set(format, automaton);
  return automaton;
}
