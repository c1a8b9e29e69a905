import { isUsOrSs, lookup, tagText } from './dictionary.ts'
import { DicomError } from './errors.ts'
import { encodeNumbers } from './number-text.ts'
import { parsePath } from './overlay-plan.ts'
import { kindOf } from './value-representation.ts'

/** A change as decisions carry it: plain values. */
export interface PlainChange {
  readonly path: string
  readonly vr: string
  /** Texts; null removes the attribute. */
  readonly values: readonly string[] | null
}

/** What names the object and what holds it together: UIDs, and references to it. A correction never touches them. */
const IDENTIFYING = new Set([0x00080016, 0x00080018, 0x0020000d, 0x0020000e])
/** What says how to read the rest: character sets, pixels, the encapsulated document; and our own record of changes. */
const STRUCTURAL = new Set([
  ...[0x00080005, 0x00080015, 0x0018a001, 0x00420011, 0x00420015, 0x04000561],
  ...[0x00280002, 0x00280004, 0x00280006, 0x00280008, 0x00280010, 0x00280011],
  ...[0x00280100, 0x00280101, 0x00280102, 0x00280103],
])

/** @returns why an attribute cannot be overlaid at all, or null */
export function pathProblem(path: string): string | null {
  let steps: ReturnType<typeof parsePath>
  try {
    steps = parsePath(path)
  } catch (error) {
    if (error instanceof DicomError) return `${JSON.stringify(path.slice(0, 200))} is no path`
    throw error
  }
  const top = steps[0]!.tag
  if (IDENTIFYING.has(top)) return `${tagText(top)} is a UID of the object: it stays`
  for (const { tag } of steps) {
    const group = tag >>> 16
    const delimiter = group === 0xfffe || group === 0xfffc
    if (group <= 2 || group === 0x7fe0 || delimiter || (tag & 0xffff) === 0 || STRUCTURAL.has(tag)) {
      return `${tagText(tag)} cannot be overlaid`
    }
  }
  return null
}

/**
 * Judges a change before it is decided, so that what was decided can always be applied.
 * @returns why it makes no sense, or null
 */
export function changeProblem({ path, vr, values }: PlainChange): string | null {
  const wrong = pathProblem(path)
  if (wrong !== null || values === null) return wrong
  const steps = parsePath(path)
  for (const { tag, item } of steps) {
    if (((tag >>> 16) & 1) === 1) return `${tagText(tag)} is private: it can be removed, not set`
    const entry = lookup(tag)
    if (entry === undefined) return `${tagText(tag)} is no attribute of the standard`
    if ((item !== null) !== (entry.vr === 'SQ')) {
      return item === null
        ? `${tagText(tag)} is a sequence: name an attribute of one of its items`
        : `${tagText(tag)} is no sequence`
    }
    if (item !== null) continue
    if (entry.vr !== vr && !(isUsOrSs(tag) && vr === 'SS')) return `${tagText(tag)} has VR ${entry.vr}, not ${vr}`
    if (kindOf(vr) === 'binary') return `${tagText(tag)} is binary: it can be removed, not set`
    return valuesProblem(tag, vr, values)
  }
  return null
}

/** The VR a change of an attribute has; null for what no dictionary knows. */
export function vrForChange(path: string): string | null {
  const last = path.split('/').at(-1) ?? ''
  return /^[\dA-F]{8}$/.test(last) ? (lookup(Number.parseInt(last, 16))?.vr ?? null) : null
}

const VALUES_MAX = 64
/** Most characters of a value; of a name, of each component group. PS3.5 Table 6.2-1. */
const LONGEST: Readonly<Record<string, number>> = { AE: 16, CS: 16, LO: 64, LT: 10_240, SH: 16, ST: 1024, PN: 64 }
const LONGEST_OTHER = 65_536
const FORMS: Readonly<Record<string, RegExp>> = {
  AS: /^\d{3}[DWMY]$/,
  CS: /^[A-Z0-9 _]*$/,
  DA: /^(19|20|1[0-8]|2[1-9])\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])$/,
  DS: /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/,
  DT: /^\d{4}(\d\d(\d\d(\d\d(\d\d(\d\d(\.\d{1,6})?)?)?)?)?)?([+-]\d{4})?$/,
  IS: /^[+-]?\d{1,12}$/,
  TM: /^([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?$/,
  UI: /^(0|[1-9]\d*)(\.(0|[1-9]\d*))*$/,
}

function valuesProblem(tag: number, vr: string, values: readonly string[]): string | null {
  const name = tagText(tag)
  if (values.length > VALUES_MAX) return `${name} has more than ${VALUES_MAX} values`
  const kind = kindOf(vr)
  for (const value of values) {
    if (value === '') continue
    const groups = kind === 'name' ? value.split('=') : [value]
    const longest = LONGEST[vr] ?? LONGEST_OTHER
    if (groups.length > 3) return `${name} has more than three component groups`
    if (groups.some((group) => group.length > longest)) return `${name} is longer than ${longest} characters`
    const lines = vr === 'LT' || vr === 'ST' || vr === 'UT'
    if (/[^\P{Cc}\t\n\f\r]/u.test(value) || (!lines && /[\t\n\f\r\\]/.test(value))) {
      return `${name} holds characters that ${vr} does not allow`
    }
    if (!value.isWellFormed()) return `${name} holds half a character`
    if ((kind === 'ascii' || kind === 'decimal') && !/^[\x20-\x7e]*$/.test(value)) return `${name} is not plain ASCII`
    if (FORMS[vr]?.test(value) === false) return `${JSON.stringify(value.slice(0, 64))} is no ${vr}`
    if (vr === 'UI' && value.length > 64) return `${name} is longer than 64 characters`
    if (vr === 'DS' && value.length > 16) return `${name} is longer than 16 characters`
  }
  if (kind !== 'number' && kind !== 'tag') return null
  try {
    encodeNumbers(tag, vr, values)
    return null
  } catch (error) {
    if (error instanceof DicomError) return `${name} does not hold ${JSON.stringify(values.join('\\').slice(0, 64))}`
    throw error
  }
}
