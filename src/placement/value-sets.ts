import type { Code, DocumentMetadata, MetadataField } from '#model/document.ts'
import type { ValueSets } from '#security/document-settings.ts'

export type CodedField = keyof ValueSets

export interface ValueSetTable {
  /** A code by itself, by `system|code`, or by its display, letter case ignored; undefined when the set has none such. */
  find(field: CodedField, text: string): Code | undefined
  /** The specialty of a department by its local name. */
  specialtyOf(department: string): Code | undefined
  /** The class a type belongs to. */
  classOf(type: Pick<Code, 'code' | 'system'>): Code | undefined
  /** Codes that are in no set: dotted paths with the code. */
  strangers(metadata: DocumentMetadata): readonly { readonly path: string; readonly detail: string }[]
}

const FIELDS: readonly (CodedField & MetadataField)[] = [
  'classCode',
  'typeCode',
  'formatCode',
  'practiceSetting',
  'facilityType',
  'confidentiality',
  'eventCodes',
]

const folded = (text: string) => text.trim().toLocaleLowerCase('en')

/** Looks up codes in the value sets of a site. */
export function createValueSets(sets: ValueSets, departments: { readonly [name: string]: string }): ValueSetTable {
  const tables = new Map(FIELDS.map((field) => [field, indexOf(sets[field])] as const))
  const plain = ({ code, system, display }: Code): Code => ({ code, system, display })
  const find: ValueSetTable['find'] = (field, text) => {
    const found = tables.get(field)?.get(folded(text))
    return found === undefined ? undefined : plain(found)
  }
  const byDepartment = new Map(Object.entries(departments).map(([name, code]) => [folded(name), code]))
  return {
    find,
    specialtyOf(department) {
      const code = byDepartment.get(folded(department))
      return find('practiceSetting', code ?? department)
    },
    classOf({ code, system }) {
      const type = sets.typeCode.find((one) => one.code === code && one.system === system)
      return type?.class === undefined ? undefined : find('classCode', type.class)
    },
    strangers(metadata) {
      return FIELDS.flatMap((field) => {
        const value = metadata[field]
        const list: readonly Code[] = value === null ? [] : 'code' in value ? [value] : value
        return list.flatMap(({ code, system }) =>
          find(field, `${system}|${code}`) === undefined
            ? [{ path: `metadata.${field}`, detail: `${system}|${code} is not in the value set of the site` }]
            : [],
        )
      })
    },
  }
}

/** The first of a set wins where two share a text. */
function indexOf(codes: readonly Code[]): ReadonlyMap<string, Code> {
  const index = new Map<string, Code>()
  for (const code of codes) {
    for (const text of [`${code.system}|${code.code}`, code.code, code.display]) {
      if (!index.has(folded(text))) index.set(folded(text), code)
    }
  }
  return index
}
