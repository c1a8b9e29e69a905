import { instantOf } from '#model/instant.ts'
import { dateTime } from '#standards/hl7v2/values.ts'
import type { MappingTerms } from './terms.ts'

/** When a step is to begin, in the zone of the site. */
export interface Start {
  /** `YYYYMMDD`. */
  readonly date: string
  /** `HHMMSS`; null when only the day is known. */
  readonly time: string | null
}

/**
 * The first of several fields that names a day. A time with an offset, or of a sender in another zone, is told in the
 * zone of the site, which is the one of the modalities' worklists.
 *
 * @param texts points in time as sent, best first
 */
export function scheduledStart(
  texts: readonly (string | undefined)[],
  terms: Pick<MappingTerms, 'senderZone' | 'siteZone'>,
): Start | null {
  for (const text of texts) {
    const said = text === undefined ? null : dateTime(text)
    if (said === null || said.date === null) continue
    const { date, time, offset } = said
    if (time === null || (offset === null && terms.senderZone === null)) return { date, time }
    const instant = instantOf(date, time, offset ?? '', terms.senderZone, terms.siteZone)
    return instant === null ? { date, time } : localTime(instant.instant, terms.siteZone)
  }
  return null
}

function localTime(instant: string, zone: string): Start {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  })
  const parts = new Map(format.formatToParts(new Date(instant)).map(({ type, value }) => [type, value]))
  const part = (name: Intl.DateTimeFormatPartTypes) => parts.get(name) ?? ''
  return {
    date: `${part('year').padStart(4, '0')}${part('month')}${part('day')}`,
    time: `${part('hour')}${part('minute')}${part('second')}`,
  }
}
