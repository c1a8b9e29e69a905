import { createHash } from 'node:crypto'
import type { Identifier, Resource } from '@medplum/fhirtypes'

/** A FHIR type while it is made: everything may still be missing. */
export type Loose<T> = T extends string | number | boolean | null | undefined
  ? T
  : T extends readonly (infer Item)[]
    ? readonly (Loose<Item> | undefined)[] | undefined
    : { readonly [Member in keyof T]: Loose<T[Member]> | null | undefined }

/** A reference to whatever type while it is made. */
export interface LooseReference {
  readonly reference?: string | undefined
  readonly identifier?: Loose<Identifier> | undefined
  readonly display?: string | undefined
}

/** Takes away what is missing: undefined, null, empty texts, lists and objects. FHIR has no empty values. */
export function compact<T>(value: Loose<T>): T {
  return cleaned(value) as T
}

function cleaned(value: unknown): unknown {
  if (value === null || value === undefined || value === '') return undefined
  if (typeof value !== 'object') return value
  if (Array.isArray(value)) {
    const items = value.map(cleaned).filter((item) => item !== undefined)
    return items.length === 0 ? undefined : items
  }
  const members: [string, unknown][] = []
  for (const [name, member] of Object.entries(value)) {
    const kept = cleaned(member)
    if (kept !== undefined) members.push([name, kept])
  }
  return members.length === 0 ? undefined : Object.fromEntries(members)
}

/**
 * A resource that is worked out anew for each answer: its version is a digest of its content, so it changes exactly when
 * the content does.
 */
export function derived<T extends Resource>(value: Loose<T>, lastUpdated: string | null): T {
  const resource = compact<T>(value)
  const versionId = createHash('sha256').update(JSON.stringify(resource)).digest('hex').slice(0, 16)
  const meta = { ...resource.meta, versionId, ...(lastUpdated === null ? {} : { lastUpdated }) }
  const { resourceType, id, ...rest } = resource
  return { resourceType, id, ...rest, meta } as unknown as T
}
