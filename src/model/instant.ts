/** An instant computed from a date and time as sent. design.md section 2, Time. */
export interface Instant {
  /** ISO 8601 UTC with milliseconds; ordering and searches across standards use it. */
  readonly instant: string
  /** True when neither the object nor its originator said which time zone was meant. */
  readonly zoneAssumed: boolean
}

/**
 * The instant a DICOM date and time stand for.
 *
 * @param date DA, `YYYYMMDD` (or the old `YYYY.MM.DD`)
 * @param time TM, `HH[MM[SS[.FFFFFF]]]`; an absent time is midnight
 * @param offset (0008,0201) Timezone Offset From UTC, `+HHMM` or `-HHMM`, when the object has it
 * @param zone the originator's zone: an offset, or a name such as `Europe/Zurich`
 * @param siteZone assumed when nobody says
 * @returns null when the date is no calendar date: never a guess
 */
export function instantOf(
  date: string,
  time: string,
  offset: string,
  zone: string | null,
  siteZone: string,
): Instant | null {
  const d = /^(\d{4})\.?(\d{2})\.?(\d{2})$/.exec(date.trim())
  if (d === null) return null
  const t = /^(\d{2})(?::?(\d{2})(?::?(\d{2})(?:\.(\d{1,6}))?)?)?$/.exec(time.trim())
  const [year, month, day] = [Number(d[1]), Number(d[2]), Number(d[3])]
  // A leap second (60) is legal in TM and unknown to Date: it is the last millisecond's neighbour.
  const seconds = Math.min(Number(t?.[3] ?? 0), 59)
  const local = Date.UTC(
    year,
    month - 1,
    day,
    Number(t?.[1] ?? 0),
    Number(t?.[2] ?? 0),
    seconds,
    Number((t?.[4] ?? '0').padEnd(3, '0').slice(0, 3)),
  )
  const check = new Date(Date.UTC(year, month - 1, day))
  if (check.getUTCMonth() !== month - 1 || check.getUTCDate() !== day || year < 1800) return null
  const own = minutesOf(offset.trim())
  if (own !== undefined) return { instant: iso(local, own), zoneAssumed: false }
  if (zone !== null) return { instant: iso(local, offsetOf(zone, local)), zoneAssumed: false }
  return { instant: iso(local, offsetOf(siteZone, local)), zoneAssumed: true }
}

function iso(local: number, minutes: number): string {
  return new Date(local - minutes * 60_000).toISOString()
}

function minutesOf(offset: string): number | undefined {
  const m = /^([+-])(\d{2}):?(\d{2})$/.exec(offset)
  if (m === null) return undefined
  return (m[1] === '-' ? -1 : 1) * (Number(m[2]) * 60 + Number(m[3]))
}

const formats = new Map<string, Intl.DateTimeFormat>()

/** Minutes east of UTC that a zone had at a local time. */
function offsetOf(zone: string, local: number): number {
  const fixed = minutesOf(zone)
  if (fixed !== undefined) return fixed
  if (zone === 'UTC') return 0
  let format = formats.get(zone)
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-GB', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
    formats.set(zone, format)
  }
  const parts = new Map(format.formatToParts(local).map(({ type, value }) => [type, Number(value)]))
  const part = (name: Intl.DateTimeFormatPartTypes) => parts.get(name) ?? 0
  const there = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'))
  return Math.round((there - Math.floor(local / 1000) * 1000) / 60_000)
}
