// Requests to the API with the caller's token; answers are JSON or an ApiError.

const BASE = new URL("../v1/", document.baseURI);
const TOKEN = "vppo-token";
let askForToken = null;
let memory = ""; // where session storage is forbidden

export class ApiError extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `The server answered ${status}.`);
    this.status = status;
    this.code = problem.code ?? "";
    this.param = problem.param ?? "";
    this.hint = problem.hint ?? "";
    this.errors = problem.errors ?? [];
  }
}

// `asker` shows the dialog for a token and gives true when one was entered.
export function onUnauthorized(asker) {
  askForToken = asker;
}

export function token() {
  try {
    return sessionStorage.getItem(TOKEN) ?? memory;
  } catch {
    return memory;
  }
}

export function setToken(value) {
  memory = value;
  try {
    sessionStorage.setItem(TOKEN, value);
  } catch {
    // It is kept in memory then.
  }
}

export function address(path, query = {}) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null && one !== "") url.searchParams.append(name, one);
    }
  }
  return url;
}

// The path of a job, `jobs/<name>`, and of what belongs to it.
export function jobPath(name, ...rest) {
  return ["jobs", name, ...rest].map(encodeURIComponent).join("/");
}

export async function get(path, query, options = {}) {
  return (await request(path, {query, ...options})).json();
}

export async function request(path, {method = "GET", query, body, headers = {}, signal, asks = true} = {}) {
  for (;;) {
    const sent = token();
    const response = await send(address(path, query), {method, body, signal, headers: authorized(headers, sent)});
    if (response.ok) return response;
    const error = new ApiError(response.status, await problem(response));
    if (error.status !== 401 || !asks || !askForToken) throw error;
    // Another request may have been given a new token in the meantime.
    if (token() === sent && !(await askForToken())) throw error;
  }
}

function authorized(headers, value) {
  return value ? {...headers, authorization: `Bearer ${value}`} : headers;
}

async function send(url, options) {
  try {
    return await fetch(url, {...options, cache: "no-store", credentials: "omit"});
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, {detail: "The server does not answer.", hint: "Is it running? The page keeps trying."});
  }
}

async function problem(response) {
  try {
    const body = await response.json();
    return typeof body === "object" && body !== null ? body : {};
  } catch {
    return {};
  }
}

// A key that makes a repeated request the same request; `randomUUID` needs a secure context.
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
