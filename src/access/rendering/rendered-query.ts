import { ArchiveError } from '#errors.ts'
import type { Window } from '#standards/pixels/grey-transform.ts'
import type { Viewport } from './render-job.ts'

/** Longest side of an answer, in pixels. */
const SIDE_MAX = 8192
const COORDINATE_MAX = 1_000_000
const WINDOW_MAX = 1e9

/** What a caller may say of a rendered resource. PS3.18 section 8.3.5. */
export interface RenderedQuery {
  readonly viewport: Viewport | null
  readonly window: Window | null
  /** 1 to 100; null when not said. */
  readonly quality: number | null
}

/**
 * Reads the query parameters of a rendered resource. Unknown ones are left to others; annotation and iccprofile are
 * refused rather than not done.
 * @param thumbnail then a viewport has no region, and there is no window. PS3.18 section 8.3.5.1.3
 * @throws ArchiveError 'request.malformed' naming the parameter
 */
export function renderedQuery(query: URLSearchParams, thumbnail: boolean): RenderedQuery {
  for (const name of ['annotation', 'iccprofile'] as const) {
    const value = query.get(name)
    if (value === null || (name === 'iccprofile' && value === 'no')) continue
    if (thumbnail || !KNOWN[name].test(value)) throw wrong(name, `cannot be ${value.slice(0, 64)}`)
    throw new ArchiveError('request.not-acceptable', `${name} is not drawn here`, { hint: `Leave ${name} out.` })
  }
  return {
    viewport: viewportOf(query.get('viewport'), thumbnail),
    window: thumbnail ? null : windowOf(query.get('window')),
    quality: qualityOf(query.get('quality')),
  }
}

const KNOWN = {
  annotation: /^(?:patient|technique)(?:,(?:patient|technique))*$/,
  iccprofile: /^(?:yes|srgb|adobergb|rommrgb|displayp3)$/,
} as const

function viewportOf(text: string | null, thumbnail: boolean): Viewport | null {
  if (text === null) return null
  const parts = text.split(',')
  if (parts.length !== 2 && (thumbnail || parts.length !== 6)) {
    throw wrong('viewport', thumbnail ? 'is vw,vh' : 'is vw,vh or vw,vh,sx,sy,sw,sh')
  }
  const [width = 0, height = 0, x = 0, y = 0, regionWidth = 0, regionHeight = 0] = parts.map((part, i) =>
    i >= 2 && part.trim() === '' ? 0 : whole('viewport', part, i < 2 ? SIDE_MAX : COORDINATE_MAX, i >= 4),
  )
  if (width < 1 || height < 1) throw wrong('viewport', 'has no pixels')
  return { width, height, region: parts.length === 2 ? null : { x, y, width: regionWidth, height: regionHeight } }
}

function windowOf(text: string | null): Window | null {
  if (text === null) return null
  const [center = '', width = '', shape = 'linear', ...more] = text.split(',').map((part) => part.trim())
  const numbers = [center, width].map((part) =>
    /^[-+]?\d{1,12}(?:\.\d{1,12})?$/.test(part) ? Number(part) : Number.NaN,
  )
  const [c = Number.NaN, w = Number.NaN] = numbers
  const known = shape === 'linear' || shape === 'linear-exact' || shape === 'sigmoid'
  if (more.length > 0 || !known) throw wrong('window', 'is center,width,function; linear, linear-exact or sigmoid')
  if (!(Math.abs(c) <= WINDOW_MAX) || !(w <= WINDOW_MAX)) throw wrong('window', 'is of two numbers and a function')
  if (w <= 0 || (shape === 'linear' && w < 1)) throw wrong('window', 'has a width below its least')
  return { center: c, width: w, function: shape }
}

function qualityOf(text: string | null): number | null {
  if (text === null) return null
  const value = whole('quality', text, 100, false)
  if (value < 1) throw wrong('quality', 'is from 1 to 100')
  return value
}

function whole(name: string, text: string, most: number, negative: boolean): number {
  const value = /^-?\d{1,9}$/.test(text.trim()) ? Number(text) : Number.NaN
  if (Number.isNaN(value) || Math.abs(value) > most || (value < 0 && !negative)) {
    throw wrong(name, `has a number that is none, or beyond ${most}`)
  }
  return value
}

function wrong(name: string, detail: string): ArchiveError {
  return new ArchiveError('request.malformed', `the parameter ${name} ${detail}`)
}
