import { WILDCARDS_MAX } from '#index/fold.ts'
import type { Match } from '#model/search.ts'
import { tagText } from '#standards/dicom/dictionary.ts'
import type { Negotiated } from './query-models.ts'
import { DimseRefusal, STATUS } from './refusal.ts'

const WILDCARD_VRS: ReadonlySet<string> = new Set(['AE', 'CS', 'LO', 'LT', 'PN', 'SH', 'ST', 'UC', 'UR', 'UT', 'UN'])
const VALUE_MAX = 2048
const LIST_MAX = 10_000

function refuse(tag: number, what: string): DimseRefusal {
  return new DimseRefusal(STATUS.identifierMismatch, `(${tagText(tag)}): ${what}`, [tag])
}

const DATE = /^(\d{4})[.]?(\d{2})[.]?(\d{2})$/
const TIME = /^([01]\d|2[0-3])(?::?([0-5]\d)(?::?([0-5]\d|60)(\.\d{1,6})?)?)?$/
const DATE_TIME = /^\d{4,14}(\.\d{1,6})?([+-]\d{4})?$/

function date(tag: number, text: string): string | null {
  if (text === '') return null
  const [whole, year = '', month = '', day = ''] = DATE.exec(text) ?? []
  if (whole === undefined || month < '01' || month > '12' || day < '01' || day > '31') {
    throw refuse(tag, 'a date is written YYYYMMDD')
  }
  return year + month + day
}

function time(tag: number, text: string): string | null {
  if (text === '') return null
  const found = TIME.exec(text)
  if (found === null) throw refuse(tag, 'a time is written HHMMSS.FFFFFF')
  return found.slice(1).join('')
}

function dateTime(tag: number, text: string): string | null {
  if (text === '') return null
  if (!DATE_TIME.test(text)) throw refuse(tag, 'a date with time is written YYYYMMDDHHMMSS.FFFFFF')
  return text
}

type Part = (tag: number, text: string) => string | null

/** `a-b`, `a-`, `-b` or one value. PS3.4 section C.2.2.2.5. */
function range(tag: number, text: string, part: Part, dash: number): Match['how'] {
  if (dash < 0) {
    const value = part(tag, text)
    return value === null ? { is: 'universal' } : { is: 'single', value }
  }
  const from = part(tag, text.slice(0, dash).trim())
  const to = part(tag, text.slice(dash + 1).trim())
  if (from === null && to === null) throw refuse(tag, 'a range needs at least one end')
  return { is: 'range', from, to }
}

/** The dash of a date-time range is one that cannot begin a time zone (-1200 to +1400). PS3.5 section 6.2, DT. */
function dateTimeDash(text: string): number {
  for (let at = text.indexOf('-'); at >= 0; at = text.indexOf('-', at + 1)) {
    const zone = /^-(\d{4})(-|$)/.exec(text.slice(at))
    if (at === 0 || zone === null || Number(zone[1]) > 1400) return at
  }
  return -1
}

function listOf(tag: number, values: readonly string[]): Match['how'] {
  const some = [...new Set(values)].filter((value) => value !== '')
  if (some.length > LIST_MAX) throw refuse(tag, `a list has at most ${LIST_MAX} values`)
  const [first] = some
  if (first === undefined) return { is: 'universal' }
  return some.length === 1 ? { is: 'single', value: first } : { is: 'list', values: some }
}

/**
 * What a key of an identifier asks for. PS3.4 section C.2.2.2, by VR.
 * @param values decoded, padding removed
 * @throws DimseRefusal A900 for a value its VR cannot have
 */
export function howOf(tag: number, vr: string, values: readonly string[], agreed: Negotiated): Match['how'] {
  const trimmed = values.map((value) => value.trim())
  const text = trimmed.join('\\')
  // A lone `*` is universal matching whatever the VR. PS3.4 section C.2.2.2.4.
  if (/^\**$/.test(text)) return { is: 'universal' }
  if (text === '""' && agreed.emptyValues) return { is: 'empty' }
  if (vr === 'UI') return listOf(tag, trimmed)
  if (text.length > VALUE_MAX) throw refuse(tag, 'the value is too long')
  if (vr === 'DA') return range(tag, text, date, text.indexOf('-'))
  if (vr === 'TM') return range(tag, text, time, text.indexOf('-'))
  if (vr === 'DT') return range(tag, text, dateTime, dateTimeDash(text))
  if (WILDCARD_VRS.has(vr)) {
    const wild = text.match(/[*?]/g)?.length ?? 0
    if (wild > WILDCARDS_MAX) throw refuse(tag, `a value has at most ${WILDCARDS_MAX} wild cards`)
    if (wild > 0) return { is: 'wildcard', pattern: text }
  }
  // Modalities in Study is asked for as a list by everybody, negotiated or not.
  if (agreed.multipleValues || vr === 'CS') return listOf(tag, trimmed)
  return { is: 'single', value: text }
}
