import type { FhirIndexed } from '#model/fhir-store.ts'
import { searchValues } from '#standards/fhir/search-values.ts'
import type { Json } from '#standards/fhir/xml-write.ts'
import { foldText } from './folded.ts'

/** Values of one resource at most: what has more is found by the first ones. */
const VALUES_MAX = 500

/** Values an own resource is found by, taken out by the expressions of its search parameters. */
export function indexedOf(resource: Json, parameters: readonly string[]): FhirIndexed[] {
  const found = parameters.flatMap((code) =>
    (searchValues(resource, code) ?? []).flatMap((value): FhirIndexed[] => {
      switch (value.is) {
        case 'token':
          return value.code === '' ? [] : [{ code, is: 'token', value: value.code, system: value.system }]
        case 'string': {
          // A word of a name is found by its beginning, as the whole is.
          const folded = foldText(value.text)
          const words = folded.split(' ')
          return [...new Set([folded, ...words])].map((text) => ({ code, is: 'string', value: text, system: '' }))
        }
        case 'reference':
          return value.to === '' ? [] : [{ code, is: 'reference', value: value.to, system: '' }]
        default:
          return []
      }
    }),
  )
  return found.slice(0, VALUES_MAX)
}
