import type { LogFormat, Logger } from "#runtime";

/** Receives the progress of a download. */
export interface Progress {
  /** A message about the current step. */
  say(text: string): void;
  /** Bytes so far, and in total if known. */
  update(bytes: number, total: number | undefined): void;
  done(): void;
}

/** Shows progress on the terminal, or logs it as JSON. */
export const progressFor = (log: Logger, format: LogFormat): Progress =>
  format === "json" ? logProgress(log) : terminalProgress();

function logProgress(log: Logger): Progress {
  const isDue = tenths();
  return {
    say: (text) => log.info(text),
    update(bytes, total) {
      if (isDue(bytes, total)) log.info("downloading", { bytes, total });
    },
    done() {},
  };
}

/** Whether another tenth has arrived, or another 20 MB if the total is unknown. */
function tenths(): (bytes: number, total: number | undefined) => boolean {
  let last = -1;
  return (bytes, total) => {
    const tenth = Math.floor(total === undefined ? bytes / 20e6 : (bytes / total) * 10);
    const isDue = tenth > last;
    last = Math.max(last, tenth);
    return isDue;
  };
}

/** A progress bar on a terminal; elsewhere one line per tenth. */
export function terminalProgress(out: NodeJS.WriteStream = process.stderr): Progress {
  const startedAt = performance.now();
  let firstBytes: number | undefined;
  let drawnAt = 0;
  const isDue = tenths();
  let isDrawn = false;

  const draw = (bytes: number, total: number | undefined) => {
    firstBytes ??= bytes;
    const seconds = (performance.now() - startedAt) / 1000;
    const rate = seconds > 0.5 ? ` ${megabytes((bytes - firstBytes) / seconds)}/s` : "";
    const size = total === undefined ? megabytes(bytes) : `${megabytes(bytes)} of ${megabytes(total)}`;
    if (!out.isTTY) {
      if (!isDue(bytes, total)) return;
      const percent = total === undefined ? "" : `${Math.floor((bytes / total) * 10) * 10} %, `;
      out.write(`  ${percent}${size}\n`);
      return;
    }
    if (performance.now() - drawnAt < 80 && bytes !== total) return;
    drawnAt = performance.now();
    isDrawn = true;
    const filled = total === undefined ? 0 : Math.round((bytes / total) * 24);
    out.write(`\r\x1b[K  [${"█".repeat(filled)}${"·".repeat(24 - filled)}] ${size}${rate}`);
  };
  return {
    say: (text) => void out.write(`${isDrawn ? "\r\x1b[K" : ""}${text}\n`),
    update: draw,
    done: () => void (isDrawn && out.write("\n")),
  };
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
