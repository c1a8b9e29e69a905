/** What an answer that is no success says. */
export class Problem extends Error {
  constructor(status, body) {
    super(body?.detail || body?.title || `The server answered ${status}.`)
    this.status = status
    this.code = body?.code ?? null
    this.hint = body?.hint ?? null
  }
}

let csrf = null

/** The token that goes with every change made in a session. */
export function useCsrf(token) {
  csrf = token
}

/**
 * @param {string} path
 * @param {{ method?: string, json?: unknown, body?: BodyInit, headers?: Record<string, string>, accept?: string }} [options]
 */
export async function call(path, { method = 'GET', json, body, headers = {}, accept = 'application/json' } = {}) {
  const sent = { accept, ...headers }
  if (json !== undefined) sent['content-type'] = 'application/json'
  if (method !== 'GET' && method !== 'HEAD' && csrf !== null) sent['x-csrf-token'] = csrf
  let response
  try {
    response = await fetch(path, {
      method,
      headers: sent,
      body: json === undefined ? body : JSON.stringify(json),
      credentials: 'same-origin',
      redirect: 'error',
    })
  } catch {
    throw new Problem(0, {
      detail: 'The archive does not answer.',
      hint: 'Is it still running? Try again in a moment.',
    })
  }
  if (response.ok) return response
  const told = response.headers.get('content-type')?.includes('json') ? await response.json() : null
  if (response.status === 401 && path !== '/api/v1/session') dispatchEvent(new Event('signed-out'))
  throw new Problem(response.status, told)
}

/** @returns the parsed answer; null when there is none */
export async function ask(path, options) {
  const response = await call(path, options)
  return response.status === 204 ? null : response.json()
}

/** DICOM JSON rows of a search; an empty search is an empty list. */
export async function search(path, parameters) {
  const response = await call(`/dicom-web/${path}?${parameters}`, { accept: 'application/dicom+json' })
  return response.status === 204 ? [] : response.json()
}

/** First value of an attribute of DICOM JSON as text. */
export function value(row, tag) {
  const [first] = row[tag]?.Value ?? []
  if (first === undefined || first === null) return ''
  if (typeof first !== 'object') return String(first)
  return ['Alphabetic', 'Ideographic', 'Phonetic'].map((group) => first[group] ?? '').join('=')
}

/** All values of an attribute. */
export function values(row, tag) {
  return (row[tag]?.Value ?? []).map(String)
}
