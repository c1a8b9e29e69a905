import { toUtc } from '../text/pdf-date.ts'

/**
 * An HL7 v3 point in time, `YYYYMMDDhhmmss.UUUU[+|-ZZzz]` cut off anywhere, as ISO 8601. HL7 v3 Data Types, TS literal form.
 *
 * @returns a date with the precision given; with a time of day UTC and `Z`, or without `Z` when no offset is given. Hours
 *   and minutes are filled up to seconds. Null for what is none
 */
export function hl7Time(value: string | null): string | null {
  const match = /^(\d{4})(\d{2})?(\d{2})?(\d{2})?(\d{2})?(\d{2})?(?:\.\d{1,9})?([+-]\d{2,4})?$/.exec(
    value?.trim() ?? '',
  )
  if (match === null) return null
  const [, year = '', month, day, hour, minute = '00', second = '00', zone] = match
  if (month === undefined) return year
  if (Number(month) < 1 || Number(month) > 12) return null
  if (day === undefined) return `${year}-${month}`
  if (Number.isNaN(Date.parse(`${year}-${month}-${day}`)) || Number(day) < 1) return null
  if (hour === undefined) return `${year}-${month}-${day}`
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return null
  const local = `${year}-${month}-${day}T${hour}:${minute}:${second}`
  if (zone === undefined) return local
  const offset = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3) || 0)
  return toUtc(local, zone[0] === '-' ? -offset : offset)
}

/**
 * ISO 8601 as XDS and HL7 v2 write it: `YYYY[MM[DD[hhmmss]]]`. ITI TF-3 table 4.2.3.1.7-2, DTM: times of day are UTC.
 *
 * @param value with `Z`, an offset, or neither: then it is taken for UTC
 * @returns null for what is none
 */
export function xdsTime(value: string | null): string | null {
  const match =
    /^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?)?)?$/.exec(
      value ?? '',
    )
  if (match === null) return null
  const [, year = '', month = '', day = '', hour, minute = '00', second = '00', zone = 'Z'] = match
  if (hour === undefined) return `${year}${month}${day}`
  const time = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}${zone}`)
  return Number.isNaN(time.getTime()) ? null : time.toISOString().slice(0, 19).replace(/[-T:]/g, '')
}
