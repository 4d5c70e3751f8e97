// Numbers, times and sizes as people read them.

const UNITS = ["B", "kB", "MB", "GB", "TB"];
const NONE = "–";

// 47 s · 3 min 05 s · 2 h 05 min · 3 d 4 h
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return NONE;
  const s = Math.max(0, seconds);
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 60) return `${Math.round(s)} s`;
  const whole = Math.round(s);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  const minutes = Math.round(s / 60);
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
  const hours = Math.round(s / 3600);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

// An estimate: 40 s, 16 min, 2 h 05 min.
export function rough(seconds) {
  if (seconds < 55) return `${Math.max(10, Math.round(seconds / 10) * 10)} s`;
  return seconds < 3600 ? `${Math.max(1, Math.round(seconds / 60))} min` : duration(seconds);
}

// One unit only: 47 s, 3 min, 5 h, 12 d.
export function age(time, now = Date.now()) {
  const seconds = Math.max(0, (now - Date.parse(time)) / 1000);
  if (!Number.isFinite(seconds)) return NONE;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

export function between(start, end, now = Date.now()) {
  return (end ? Date.parse(end) : now) / 1000 - Date.parse(start) / 1000;
}

export function dateTime(time) {
  const date = new Date(time);
  return Number.isNaN(date.getTime())
    ? NONE
    : `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${clock(time)}`;
}

export function clock(time) {
  const date = new Date(time);
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

export function bytes(count) {
  if (!Number.isFinite(count)) return NONE;
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${UNITS[unit]}`;
}

// Three significant digits, a true minus sign, exponents only where they must be.
export function number(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size >= 1000 ? Math.round(size).toLocaleString("en-US") : size < 0.0001 ? size.toExponential(1) : plain(size, digits);
  return value < 0 ? `−${text}` : text;
}

export function signed(value, digits = 3) {
  const text = number(value, digits);
  return value > 0 ? `+${text}` : text;
}

export function percent(share) {
  return Number.isFinite(share) ? `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %` : NONE;
}

export function hours(gpuSeconds) {
  return Number.isFinite(gpuSeconds) ? `${number(gpuSeconds / 3600)} h` : NONE;
}

// Always the same decimals, for columns.
export function fixed(value, decimals = 3) {
  return Number.isFinite(value) ? value.toFixed(decimals).replace("-", "−") : NONE;
}

function plain(size, digits) {
  return String(Number(size.toPrecision(digits)));
}

function pad(value) {
  return String(value).padStart(2, "0");
}
