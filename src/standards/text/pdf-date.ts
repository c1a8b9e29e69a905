/**
 * A PDF date, `D:YYYYMMDDHHmmSSOHH'mm'` with everything behind the year optional, as ISO 8601. ISO 32000-1 section 7.9.4.
 *
 * @returns UTC with `Z` when an offset is given, else local time without; null for what is none
 */
export function pdfDate(value: string | null): string | null {
  const match = /^(?:D:)?(\d{4})(\d{2})?(\d{2})?(\d{2})?(\d{2})?(\d{2})?(?:([Z+-])(\d{2})?'?(\d{2})?'?)?$/.exec(
    value?.trim() ?? '',
  )
  if (match === null) return null
  const [, year = '', month, day, hour, minute, second, sign, offsetHours, offsetMinutes] = match
  if (month === undefined) return year
  if (!within(month, 1, 12) || (day !== undefined && !within(day, 1, 31))) return null
  if (day === undefined) return `${year}-${month}`
  if (hour === undefined) return `${year}-${month}-${day}`
  if (!within(hour, 0, 23) || !within(minute ?? '00', 0, 59) || !within(second ?? '00', 0, 60)) return null
  const local = `${year}-${month}-${day}T${hour}:${minute ?? '00'}:${second ?? '00'}`
  if (sign === undefined) return local
  const offset = sign === 'Z' ? 0 : Number(offsetHours ?? 0) * 60 + Number(offsetMinutes ?? 0)
  return toUtc(local, sign === '-' ? -offset : offset)
}

/** @param local `YYYY-MM-DDThh:mm:ss` @param offsetMinutes east of Greenwich @returns null for what is no date */
export function toUtc(local: string, offsetMinutes: number): string | null {
  const time = Date.parse(`${local}Z`)
  if (Number.isNaN(time) || Math.abs(offsetMinutes) > 14 * 60) return null
  return new Date(time - offsetMinutes * 60_000).toISOString().replace('.000Z', 'Z')
}

function within(value: string, low: number, high: number): boolean {
  return Number(value) >= low && Number(value) <= high
}
