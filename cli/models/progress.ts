/** Hears how a download goes. */
export interface Progress {
  /** A sentence about what happens now. */
  say(text: string): void;
  /** Bytes so far, and in all where that is known. */
  update(bytes: number, total: number | undefined): void;
  done(): void;
}

/** A bar that redraws itself on a terminal; a line for every tenth elsewhere. */
export function terminalProgress(out: NodeJS.WriteStream = process.stderr): Progress {
  const startedAt = performance.now();
  let firstBytes: number | undefined;
  let drawnAt = 0;
  let lastTenth = -1;
  let isDrawn = false;

  const draw = (bytes: number, total: number | undefined) => {
    firstBytes ??= bytes;
    const seconds = (performance.now() - startedAt) / 1000;
    const rate = seconds > 0.5 ? ` ${megabytes((bytes - firstBytes) / seconds)}/s` : "";
    const size = total === undefined ? megabytes(bytes) : `${megabytes(bytes)} of ${megabytes(total)}`;
    if (!out.isTTY) {
      const tenth = total === undefined ? Math.floor(bytes / 20e6) : Math.floor((bytes / total) * 10);
      if (tenth <= lastTenth) return;
      lastTenth = tenth;
      out.write(`  ${total === undefined ? "" : `${tenth * 10} %, `}${size}\n`);
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
