// A job object as YAML: enough of it to read, copy and submit again.

const PLAIN = /^[A-Za-z_/][A-Za-z0-9_./ -]*(:\/\/[A-Za-z0-9_./?=&-]+)?$/;
const UNPRINTABLE = /[\x7f-\x9f\u2028\u2029\ufeff]/;
const WORDS = /^(true|false|null|yes|no|on|off|y|n|~)$/i;

export function toYaml(value) {
  return lines(value, "").join("\n") + "\n";
}

function lines(value, indent) {
  if (Array.isArray(value)) return value.flatMap((item) => listItem(item, indent));
  return Object.entries(value).flatMap(([key, item]) => field(key, item, indent));
}

function field(key, value, indent) {
  const name = `${indent}${scalar(key)}:`;
  if (isFilled(value)) return [name, ...lines(value, `${indent}  `)];
  if (isBlock(value)) return [`${name} ${mark(value)}`, ...block(value, `${indent}  `)];
  return [`${name} ${scalar(value)}`];
}

function listItem(value, indent) {
  if (!isFilled(value)) return [`${indent}- ${scalar(value)}`];
  const [first, ...rest] = lines(value, `${indent}  `);
  return [`${indent}- ${first.trimStart()}`, ...rest];
}

function isFilled(value) {
  return typeof value === "object" && value !== null && Object.keys(value).length > 0;
}

// A block cannot hold a first line that begins with a blank, or characters that YAML escapes.
function isBlock(value) {
  if (typeof value !== "string" || !value.includes("\n")) return false;
  return !/^[ \n]|[\x00-\x09\x0b-\x1f]| \n|\n\n$/.test(value) && !UNPRINTABLE.test(value);
}

function mark(value) {
  return value.endsWith("\n") ? "|" : "|-";
}

function block(value, indent) {
  return value.replace(/\n$/, "").split("\n").map((line) => (line ? indent + line : ""));
}

function scalar(value) {
  if (typeof value === "number" && Number.isFinite(value)) return decimal(value);
  if (typeof value !== "string") return JSON.stringify(value);
  return PLAIN.test(value) && !WORDS.test(value) && !value.endsWith(" ") ? value : quoted(value);
}

// A string of JSON is one of YAML, but for characters that only YAML wants escaped.
function quoted(value) {
  const escaped = (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value).replace(new RegExp(UNPRINTABLE, "g"), escaped);
}

// YAML 1.1 reads 1e-6 as text; 1.0e-6 is a number.
function decimal(value) {
  const text = String(value);
  if (!text.includes("e")) return text;
  const [digits, exponent] = text.split("e");
  return `${digits.includes(".") ? digits : `${digits}.0`}e${exponent}`;
}
