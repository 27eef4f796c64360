/** Measurements of a mashup, with pass marks. */

import { Icon } from "../components/icons.js";
import { keyName } from "../format.js";
import { html } from "../html.js";
import { texts } from "../texts.js";

/** @import {Measurement, Report} from "./types.js" */

/** @param {{report: Report}} props */
export function ReportTables({ report }) {
  const judged = report.measurements.filter(({ passed }) => passed !== null);
  const count = judged.filter(({ passed }) => passed).length;
  const stems = stemTable(report.measurements);
  const whole = report.measurements.filter(({ name }) => !stemPart(name));
  return html`<section class="stack" aria-labelledby="report">
    <div class="row">
      <h2 id="report">${texts.report.title}</h2>
      <span class=${`chip ${count === judged.length ? "chip-good" : "chip-warn"}`}>
        <${Icon} name=${count === judged.length ? "check" : "warning"} size=${14} />
        ${texts.report.passed(count, judged.length)}
      </span>
    </div>
    <${WholeTable} measurements=${whole} />
    ${stems.rows.length > 0 && html`<${StemTable} ...${stems} />`}
  </section>`;
}

/** @param {{measurements: Measurement[]}} props */
function WholeTable({ measurements }) {
  const words = texts.report;
  return html`<div class="table-scroll" role="region" aria-label=${words.whole} tabindex="0">
    <table class="table report">
      <thead>
        <tr>
          <th scope="col"><span class="hidden-text">${words.verdict}</span></th>
          <th scope="col">${words.measurement}</th>
          <th scope="col" class="number">${words.value}</th>
          <th scope="col" class="report-wide">${words.limit}</th>
        </tr>
      </thead>
      <tbody>
        ${measurements.map(
          (one) => html`<tr key=${one.name}>
            <td class="report-mark"><${Mark} passed=${one.passed} /></td>
            <th scope="row">
              ${words.nameOf(one.name)} <span class="report-detail">${one.detail}</span>
            </th>
            <td class="number">
              ${valueOf(one)}
              ${
                one.wanted &&
                html`<span class="report-narrow report-detail">${words.limitOf(limitOf(one))}</span>`
              }
            </td>
            <td class="report-wide">${limitOf(one)}</td>
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/**
 * @param {{columns: string[], rows: {name: string, cells: (Measurement | undefined)[]}[]}} props
 */
function StemTable({ columns, rows }) {
  const limits = columns.map((_, at) => rows.map(({ cells }) => cells[at]).find(Boolean));
  return html`<div class="table-scroll" role="region" aria-label=${texts.report.ofStems} tabindex="0">
    <table class="table report">
      <thead>
        <tr>
          <th scope="col">${texts.report.stems}</th>
          ${columns.map(
            (name, at) => html`<th scope="col" class="number">
              ${texts.report.nameOf(name)}<span class="report-limit">${limits[at] && limitOf(limits[at])}</span>
            </th>`,
          )}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ({ name, cells }) => html`<tr key=${name} data-stem=${kindOf(name)}>
            <${StemHead} name=${name} />
            ${cells.map(
              (one) => html`<td class="number" title=${one?.detail}>
                ${
                  one &&
                  html`<span class="report-cell">${valueOf(one)} <${Mark} passed=${one.passed} /></span>`
                }
              </td>`,
            )}
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** @param {{passed: boolean | null}} props */
function Mark({ passed }) {
  const name = passed === null ? "unjudged" : passed ? "passed" : "failed";
  return html`<span class=${`mark mark-${name}`} title=${texts.report.verdicts[name]}>
    ${passed === null ? "–" : html`<${Icon} name=${passed ? "check" : "close"} size=${16} />`}
    <span class="hidden-text">${texts.report.verdicts[name]}</span>
  </span>`;
}

/**
 * Return the stem of a measurement, such as `song/vocals`, and the measured quantity; null for the
 * mix. Titles of songs may contain colons.
 * @param {string} name
 */
function stemPart(name) {
  const match = /^(.+\/\w+): (.+)$/.exec(name);
  return match && { stem: match[1], quantity: match[2] };
}

/** @param {Measurement[]} measurements */
function stemTable(measurements) {
  /** @type {Map<string, Map<string, Measurement>>} */
  const stems = new Map();
  const columns = new Set();
  for (const one of measurements) {
    const part = stemPart(one.name);
    if (!part) continue;
    columns.add(part.quantity);
    const cells = stems.get(part.stem) ?? new Map();
    stems.set(part.stem, cells.set(part.quantity, one));
  }
  const names = [...columns];
  const rows = [...stems].map(([name, cells]) => ({ name, cells: names.map((column) => cells.get(column)) }));
  return { columns: names, rows };
}

/** @param {string} name Such as `song/vocals`. */
const kindOf = (name) => name.slice(name.lastIndexOf("/") + 1);

/** @param {{name: string}} props */
function StemHead({ name }) {
  const kind = kindOf(name);
  return html`<th scope="row" class="report-stem">
    <span class="stem-kind"><span class="dot"></span>${texts.kinds[kind] ?? kind}</span>
    <span class="report-detail">${name.slice(0, -kind.length - 1)}</span>
  </th>`;
}

/** @param {Measurement} measurement */
function valueOf({ value, unit, passed }) {
  if (typeof value === "string") return keyName(value);
  if (value === null) return passed === null ? "–" : `−∞ ${unit}`; // JSON has no -inf
  const isWhole = ["", "semitones"].includes(unit) && Number.isInteger(value);
  const number = value.toFixed(isWhole ? 0 : unit === "dBFS" ? 1 : 2).replace("-", "−");
  return `${number} ${unit}`.trim();
}

/** @param {Measurement} measurement */
const limitOf = ({ wanted }) =>
  wanted
    .replace("<=", "≤")
    .replace(">=", "≥")
    .replace(/(^|\s)-(?=\d)/g, "$1−");
