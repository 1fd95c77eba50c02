/** Draws line charts as SVG, several on a page with one legend. */

export interface Chart {
  title: string;
  /** Labels of the horizontal axis, evenly spaced. */
  places: readonly string[];
  placesTitle: string;
  /** Whether the vertical axis is logarithmic; otherwise it begins at 0. */
  logarithmic?: boolean;
  lines: readonly Line[];
}

export interface Line {
  /** Lines with the same name have the same colour in all charts of a page. */
  name: string;
  /** One per label; undefined if not measured. */
  values: readonly (number | undefined)[];
  dashed?: boolean;
}

const WIDTH = 340;
const HEIGHT = 250;
const PLOT = { left: 56, right: 14, top: 34, bottom: 44 };
const LEGEND_HEIGHT = 30;
/** Okabe and Ito's palette, which most colour-blind people can distinguish. */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];

/** Draws a page of charts, row by row. The title is for accessibility. */
export function drawCharts(title: string, charts: readonly Chart[], columns: number): string {
  const names = [...new Set(charts.flatMap(({ lines }) => lines.map(({ name }) => name)))];
  const colourOf = (name: string) => COLOURS[names.indexOf(name) % COLOURS.length]!;
  const dashed = new Set(
    charts.flatMap(({ lines }) => lines.filter((line) => line.dashed).map(({ name }) => name)),
  );
  const width = columns * WIDTH;
  const height = LEGEND_HEIGHT + Math.ceil(charts.length / columns) * HEIGHT;
  const drawn = charts.map((chart, index) => {
    const x = (index % columns) * WIDTH;
    const y = LEGEND_HEIGHT + Math.floor(index / columns) * HEIGHT;
    return `<g transform="translate(${x} ${y})">${drawChart(chart, colourOf)}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="11" fill="#333">`,
    `<title>${escapeXml(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    drawLegend(names, width, colourOf, dashed),
    ...drawn,
    "</svg>\n",
  ].join("\n");
}

function drawLegend(
  names: readonly string[],
  width: number,
  colourOf: (name: string) => string,
  dashed: ReadonlySet<string>,
): string {
  const step = Math.min(170, (width - PLOT.left) / names.length);
  return names
    .map((name, index) => {
      const x = PLOT.left + index * step;
      return `${stroke(`M${x} 18h22`, colourOf(name), dashed.has(name))}<text x="${x + 28}" y="22">${escapeXml(name)}</text>`;
    })
    .join("");
}

function drawChart(chart: Chart, colourOf: (name: string) => string): string {
  const values = chart.lines.flatMap((line) => line.values.filter((value) => value !== undefined));
  const ticks = chart.logarithmic ? decades(values) : steps(Math.max(...values));
  const scale = chart.logarithmic ? Math.log : (value: number) => value;
  const [low, high] = [scale(ticks[0]!), scale(ticks.at(-1)!)];
  const right = WIDTH - PLOT.right;
  const bottom = HEIGHT - PLOT.bottom;
  const xOf = (place: number) => PLOT.left + ((place + 0.5) * (right - PLOT.left)) / chart.places.length;
  const yOf = (value: number) => bottom - ((scale(value) - low) / (high - low)) * (bottom - PLOT.top);
  const grid = ticks.map(
    (tick) =>
      `<path d="M${PLOT.left} ${round(yOf(tick))}H${right}" stroke="#ddd"/><text x="${PLOT.left - 6}" y="${round(yOf(tick) + 4)}" text-anchor="end">${label(tick)}</text>`,
  );
  const places = chart.places.map(
    (place, index) =>
      `<text x="${round(xOf(index))}" y="${bottom + 16}" text-anchor="middle">${escapeXml(place)}</text>`,
  );
  const lines = chart.lines.map((line) => {
    const points = line.values.flatMap((value, place) =>
      value === undefined ? [] : [[round(xOf(place)), round(yOf(value))]],
    );
    const colour = colourOf(line.name);
    const path = `M${points.map((point) => point.join(" ")).join("L")}`;
    const dots = points.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="2.5" fill="${colour}"/>`);
    return stroke(path, colour, line.dashed) + dots.join("");
  });
  return [
    `<text x="${PLOT.left}" y="20" font-weight="bold" font-size="12">${escapeXml(chart.title)}</text>`,
    ...grid,
    ...places,
    `<text x="${(PLOT.left + right) / 2}" y="${bottom + 34}" text-anchor="middle">${escapeXml(chart.placesTitle)}</text>`,
    ...lines,
  ].join("");
}

const stroke = (path: string, colour: string, dashed = false) =>
  `<path d="${path}" fill="none" stroke="${colour}" stroke-width="1.8"${dashed ? ' stroke-dasharray="5 3"' : ""}/>`;

/** 0 and round numbers up to at least `most`. */
function steps(most: number): number[] {
  const rough = most / 4 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough)!;
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, index) => index * step);
}

/** 1, 2 and 5 times powers of ten around the values; only powers of ten if the values span several. */
function decades(values: readonly number[]): number[] {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const factors = most / least > 500 ? [1] : [1, 2, 5];
  const first = Math.floor(Math.log10(least));
  const all = Array.from({ length: Math.ceil(Math.log10(most)) - first + 2 }, (_, index) =>
    factors.map((factor) => factor * 10 ** (first + index)),
  ).flat();
  const from = all.findLastIndex((tick) => tick <= least * 1.000001);
  const to = all.findIndex((tick) => tick >= most);
  return all.slice(from, Math.max(to, from + 1) + 1);
}

const label = (tick: number) =>
  tick >= 1000 ? tick.toLocaleString("en") : String(Number(tick.toPrecision(3)));

const round = (number: number) => Math.round(number * 10) / 10;

const escapeXml = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
