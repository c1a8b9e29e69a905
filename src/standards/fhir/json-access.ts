/** An object of a parsed JSON text. */
export type JsonRecord = { readonly [name: string]: unknown }

export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The objects of an array; one alone counts as an array of one, anything else as none. */
export function recordsOf(value: unknown): readonly JsonRecord[] {
  if (Array.isArray(value)) return value.filter(isRecord)
  return isRecord(value) ? [value] : []
}

/** The first object of an array, or the object itself; undefined when there is none. */
export function recordOf(value: unknown): JsonRecord | undefined {
  return recordsOf(value)[0]
}

/** A string that is not empty; null for anything else. */
export function stringOf(value: unknown): string | null {
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : null
}
