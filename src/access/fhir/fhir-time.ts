/**
 * A date and time of DICOM or HL7 v2 (`YYYYMMDDHHMMSS.FFFFFF+HHMM` and beginnings of it) as a FHIR dateTime. A time of day
 * without a zone is left out: FHIR has none, and nobody knows which one was meant.
 * @returns undefined for what is no date
 */
export function fhirTime(text: string | null | undefined): string | undefined {
  const match = /^(\d{4})(?:(\d{2})(?:(\d{2})(?:(\d{2})(\d{2})?(\d{2})?(\.\d{1,6})?)?)?)?([+-]\d{4}|Z)?$/.exec(
    text ?? '',
  )
  if (match === null) return undefined
  const [, year = '', month, day, hour, minute, second, fraction = '', zone] = match
  if (month === undefined) return year
  if (day === undefined) return `${year}-${month}`
  const date = `${year}-${month}-${day}`
  if (hour === undefined || zone === undefined) return date
  const offset = zone === 'Z' ? 'Z' : `${zone.slice(0, 3)}:${zone.slice(3)}`
  return `${date}T${hour}:${minute ?? '00'}:${second ?? '00'}${fraction}${offset}`
}
