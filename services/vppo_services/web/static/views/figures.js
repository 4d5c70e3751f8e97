// Which curves are drawn, and how they look.

import {number} from "../format.js";
import {color} from "../theme.js";

const STAGES = ["sample", "reward", "dependency", "assemble", "update", "publish", "checkpoint", "evaluate"];

// `traces(steps)` for plotly, `last(steps)` in words; steps are [[step, values], ...].
export const FIGURES = [
  {
    title: "Accuracy and reward",
    caption: "All sampled answers of a step; dots are held-out questions.",
    traces: (steps) => [
      ...line(steps, "accuracy_mean", "accuracy", "--c1"),
      ...line(steps, "reward_mean", "reward", "--c2", {dash: "dot"}),
      ...line(steps, "evaluation_accuracy", "held out", "--c3", {mode: "lines+markers"}),
    ],
    last: (steps) => [latest(steps, "accuracy_mean", "accuracy"), latest(steps, "reward_mean", "reward")].filter(Boolean).join(" · "),
  },
  {
    title: "Dependency on the image",
    caption: "Nats per response token; near zero means that the image is ignored.",
    traces: (steps) => [
      ...line(steps, "token_dependency_mean", "mean", "--c1"),
      ...line(steps, "token_dependency_p90", "90th percentile", "--c2", {dash: "dot"}),
    ],
    last: (steps) => latest(steps, "token_dependency_mean", "nats"),
  },
  {
    title: "Response length",
    caption: "Tokens per sampled answer.",
    traces: (steps) => [
      ...line(steps, "response_tokens_mean", "mean", "--c1"),
      ...line(steps, "response_tokens_max", "longest", "--c2", {dash: "dot"}),
    ],
    last: (steps) => latest(steps, "response_tokens_mean", "tokens"),
  },
  {
    title: "Time in each stage",
    caption: "Seconds per step; stages that overlap count in full.",
    traces: (steps) => STAGES.flatMap((stage, index) => area(steps, `stage_seconds{${stage}}`, stage, `--c${index + 1}`)),
    last: (steps) => latest(steps, "step_seconds", "s a step"),
  },
];

export function layout({title}, restarts) {
  const text = color("--text");
  const muted = color("--muted");
  const line = color("--line");
  const axis = {gridcolor: line, zerolinecolor: line, linecolor: line, tickfont: {color: muted}, fixedrange: true, automargin: true};
  return {
    meta: title,
    height: 224,
    margin: {l: 44, r: 12, t: 4, b: 32},
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: {family: "system-ui, sans-serif", size: 12, color: text},
    hovermode: "x unified",
    hoverlabel: {bgcolor: color("--surface"), bordercolor: color("--line-strong"), font: {color: text, size: 12}},
    legend: {orientation: "h", x: 0, y: 1, yanchor: "bottom", font: {color: muted, size: 12}, traceorder: "normal"},
    showlegend: true,
    xaxis: {...axis, showgrid: false, title: {text: "step", standoff: 4, font: {color: muted, size: 12}}, unifiedhovertitle: {text: "step %{x:d}"}, rangemode: "tozero"},
    yaxis: {...axis, rangemode: "tozero", nticks: 6},
    shapes: restarts.map(([step]) => ({type: "line", x0: step, x1: step, y0: 0, y1: 1, yref: "paper", line: {color: muted, width: 1, dash: "dash"}})),
    annotations: restarts.map(([step, index]) => ({
      x: step, y: 1, yref: "paper", xanchor: "left", yanchor: "top", text: `attempt ${index}`, showarrow: false, xshift: 2, font: {color: muted, size: 11},
    })),
  };
}

function series(steps, reference) {
  const points = steps.filter(([, values]) => values[reference] !== undefined && values[reference] !== null);
  return {x: points.map(([step]) => step), y: points.map(([, values]) => values[reference])};
}

function line(steps, reference, name, variable, {dash = "solid", mode = "lines"} = {}) {
  const {x, y} = series(steps, reference);
  if (!x.length) return [];
  return [{
    type: "scatter",
    mode: x.length === 1 ? "markers" : mode,
    name, x, y,
    line: {color: color(variable), width: 2, dash},
    marker: {size: 7},
    hovertemplate: "%{y:.4~g}",
  }];
}

function area(steps, reference, name, variable) {
  const {x, y} = series(steps, reference);
  if (!y.some((value) => value > 0)) return [];
  return [{
    type: "scatter", mode: "lines", stackgroup: "one", name, x, y,
    line: {color: color(variable), width: 1},
    hovertemplate: "%{y:.3~g} s",
  }];
}

function latest(steps, reference, unit) {
  const value = series(steps, reference).y.at(-1);
  return value === undefined ? "" : `${number(value)} ${unit}`;
}
