import { DicomError } from './errors.ts'
import type { Overlay, OverlayChange, OverlayEvent, OverlayValue } from './overlay.ts'
import { kindOf } from './value-representation.ts'

/** One step of a path: an attribute, and the item of it to go into; null at the last step. */
export interface PathStep {
  readonly tag: number
  readonly item: number | null
}

/** An object as an overlay looks at it, the same for a data set and for its DICOM JSON. Nothing of it changes meanwhile. */
export interface OverlayView {
  /** Items of the sequence at a path; 0 when there is none. */
  itemCount(path: string): number
  /** Texts of an attribute; null when it is not there, undefined when it is there and no text of moderate length. */
  values(path: string): readonly string[] | null | undefined
  /** True when an item on the way has a character set of its own. */
  hasOwnCharset(path: string): boolean
}

/** What of an overlay changes one object. */
export interface OverlayPlan {
  /** Events with the changes that change something, oldest first; empty when the object already says all of it. */
  readonly events: readonly OverlayEvent[]
  /** True when all text becomes UTF-8: what is new does not fit every character set, or an item has one of its own. */
  readonly utf8: boolean
}

/** A value above this length, in bytes, is not compared: it counts as different. */
export const COMPARED_BYTES_MAX = 256 * 1024

/**
 * Reads a path.
 * @throws DicomError `overlay`
 */
export function parsePath(path: string): PathStep[] {
  const parts = path.split('/')
  const steps: PathStep[] = []
  for (let i = 0; i < parts.length; i += 2) {
    const item = parts[i + 1]
    if (!/^[\dA-F]{8}$/.test(parts[i]!) || (item !== undefined && !/^\d{1,7}$/.test(item))) {
      throw new DicomError('dicom.malformed', 'overlay', `${JSON.stringify(path)} is no path`, 0)
    }
    steps.push({ tag: Number.parseInt(parts[i]!, 16), item: item === undefined ? null : Number(item) })
  }
  if (parts.length % 2 === 0 || steps.length > 64) {
    throw new DicomError('dicom.malformed', 'overlay', `${JSON.stringify(path)} is no path`, 0)
  }
  return steps
}

/**
 * Says which changes are changes for this object: what it already says is not recorded as changed, and what leads into
 * an item that this object does not have is not about it. Each change is compared with what the ones before it made.
 */
export function planOverlay(view: OverlayView, overlay: Overlay): OverlayPlan {
  const pending = new Pending(view)
  const events: OverlayEvent[] = []
  let utf8 = false
  for (const event of overlay) {
    const changes = event.changes.filter((change) => pending.take(change))
    if (changes.length === 0) continue
    events.push({ ...event, changes })
    utf8 ||= !isCommonText(event.modifyingSystem) || !isCommonText(event.source)
    utf8 ||= changes.some(({ path, value }) => (value !== null && !isCommon(value)) || view.hasOwnCharset(path))
  }
  return { events, utf8 }
}

/** True for characters that every character set writes with the same bytes. ISO_IR 13 has none for `\` and `~`. */
function isCommonText(text: string): boolean {
  return /^[\t\n\f\r\x20-\x5b\x5d-\x7d]*$/.test(text)
}

function isCommon(value: OverlayValue): boolean {
  if (!('strings' in value)) return !('items' in value)
  const kind = kindOf(value.vr)
  return (kind !== 'text' && kind !== 'name') || value.strings.every(isCommonText)
}

/** The object with the changes so far. */
class Pending {
  readonly #view: OverlayView
  readonly #values = new Map<string, readonly string[] | undefined>()
  readonly #counts = new Map<string, number>()
  /** Paths below which the object itself says nothing any more. */
  readonly #gone = new Set<string>()

  constructor(view: OverlayView) {
    this.#view = view
  }

  /** @returns whether the change is one; then it is taken into account */
  take({ path, value }: OverlayChange): boolean {
    const grown: string[] = []
    const parts = path.split('/')
    for (let i = 1; i < parts.length; i += 2) {
      const sequence = parts.slice(0, i).join('/')
      const count = this.#count(sequence)
      const item = Number(parts[i])
      if (item > count) return false
      if (item === count) grown.push(sequence)
    }
    const current = this.#current(path)
    if (value === null) {
      if (current === null) return false
      this.#forget(path)
      return true
    }
    if ('strings' in value) {
      if (current !== undefined && sameValues(value.vr, current ?? [], value.strings)) return false
      this.#values.set(path, value.strings)
    } else {
      this.#forget(path)
      this.#values.set(path, undefined)
      if ('items' in value) this.#counts.set(path, value.items.length)
    }
    for (const sequence of grown) {
      this.#counts.set(sequence, this.#count(sequence) + 1)
      this.#values.set(sequence, undefined)
    }
    return true
  }

  #isGone(path: string): boolean {
    if (this.#gone.size === 0) return false
    return [...this.#gone].some((prefix) => path === prefix || path.startsWith(`${prefix}/`))
  }

  #count(path: string): number {
    return this.#counts.get(path) ?? (this.#isGone(path) ? 0 : this.#view.itemCount(path))
  }

  #current(path: string): readonly string[] | null | undefined {
    if (this.#values.has(path)) return this.#values.get(path)
    return this.#isGone(path) ? null : this.#view.values(path)
  }

  #forget(path: string): void {
    const below = (key: string) => key === path || key.startsWith(`${path}/`)
    for (const key of this.#values.keys()) if (below(key)) this.#values.delete(key)
    for (const key of this.#counts.keys()) if (below(key)) this.#counts.delete(key)
    this.#gone.add(path)
  }
}

/** True when two lists of texts are the same value. Empty values at the end and empty name components count for nothing. */
function sameValues(vr: string, a: readonly string[], b: readonly string[]): boolean {
  const left = essential(vr, a)
  const right = essential(vr, b)
  return left.length === right.length && left.every((value, index) => value === right[index])
}

function essential(vr: string, values: readonly string[]): readonly string[] {
  const kind = kindOf(vr)
  const plain = values.map((value) => {
    if (kind === 'number') return String(Number(value))
    if (kind !== 'name') return value.trim()
    const groups = value.split('=').map((group) => group.replace(/[\s^\0]+$/, '').trimStart())
    return groups.join('=').replace(/=+$/, '')
  })
  while (plain.at(-1) === '') plain.pop()
  return plain
}
