/** One event of an event stream (WHATWG HTML, section 9.2.6). */
export interface StreamEvent {
  /** The field `event`; empty if there is none. */
  readonly name: string;
  /** The `data` lines, joined. */
  readonly data: string;
}

/**
 * Parses the events with data. Text after the last empty line also counts as an event, since some servers omit the
 * final empty line.
 */
export function readEvents(text: string): StreamEvent[] {
  const events: StreamEvent[] = [];
  let name = "";
  let data: string[] = [];
  const end = () => {
    if (data.some((line) => line !== "")) events.push({ name, data: data.join("\n") });
    name = "";
    data = [];
  };
  for (const line of text.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/)) {
    if (line === "") {
      end();
      continue;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") data.push(value);
    else if (field === "event") name = value;
  }
  end();
  return events;
}

/** Splits a text into its events, each with the line ends that it has. */
export const eventsIn = (text: string): readonly string[] => text.match(EVENTS) ?? [];

const EVENTS = /.+?(?:\r\n\r\n|\n\n|\r\r|$)/gs;

/** Formats an event. @param name the event's name, for APIs that name events */
export const event = (data: string, name?: string) => {
  const lines = data.split("\n").map((line) => `data: ${line}\n`);
  return `${name === undefined ? "" : `event: ${name}\n`}${lines.join("")}\n`;
};

const DONE = "[DONE]";

/** OpenAI's last event. */
export const DONE_EVENT = event(DONE);

/** Whether an event's data is `[DONE]`, possibly with spaces around it. */
export const isDone = (data: string) => data.trim() === DONE;
