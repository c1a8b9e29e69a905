import { tagNamed, tagText } from '#standards/dicom/dictionary.ts'

export type Level = 'study' | 'series' | 'instance'

/** How the values of an attribute are compared. PS3.4 C.2.2.2. */
export type ValueKind = 'text' | 'name' | 'date' | 'time' | 'datetime' | 'uid' | 'number'

/** An attribute that searches can match and return. */
export interface Searchable {
  /** Number in the lookup table: part of the stored format, never used twice. Sites start at 1000. */
  readonly id: number
  readonly path: readonly number[]
  /** Key in AttributeValues: tags joined by `.`. */
  readonly key: string
  readonly vr: string
  readonly level: Level
  readonly kind: ValueKind
  /** Column of the level's table; null when the value stands in `extra`. */
  readonly column: string | null
  /** True when the lookup table holds it: exact and prefix searches stay flat. */
  readonly lookup: boolean
  /** Column of the trigram index, when it has one. */
  readonly trigram: string | null
  /** Returned without being asked for. services.md A.3, PS3.18 tables 10.6.3-3 to -5. */
  readonly returned: 'always' | 'if-known' | 'on-request'
}

interface Declared {
  readonly id: number
  /** Keywords joined by `.`. */
  readonly name: string
  readonly vr: string
  readonly kind?: ValueKind
  readonly column?: string
  readonly lookup?: true
  readonly trigram?: string
  readonly returned?: 'always' | 'if-known'
}

const KINDS: Readonly<Record<string, ValueKind>> = {
  PN: 'name',
  DA: 'date',
  TM: 'time',
  DT: 'datetime',
  UI: 'uid',
  IS: 'number',
  US: 'number',
  UL: 'number',
  SS: 'number',
  SL: 'number',
}

/** Patient and study attributes. Computed ones (modalities, counts, availability) are rendered, not declared. */
const STUDY: readonly Declared[] = [
  { id: 1, name: 'StudyInstanceUID', vr: 'UI', column: 'uid', returned: 'always' },
  { id: 2, name: 'StudyDate', vr: 'DA', column: 'date', returned: 'always' },
  { id: 3, name: 'StudyTime', vr: 'TM', column: 'time', returned: 'always' },
  { id: 4, name: 'AccessionNumber', vr: 'SH', column: 'accession', trigram: 'accession', returned: 'always' },
  { id: 5, name: 'ReferringPhysicianName', vr: 'PN', column: 'referring', lookup: true, returned: 'always' },
  { id: 6, name: 'PatientName', vr: 'PN', column: 'name', lookup: true, trigram: 'name', returned: 'always' },
  { id: 7, name: 'PatientID', vr: 'LO', column: 'pid', trigram: 'pid', returned: 'always' },
  { id: 8, name: 'PatientBirthDate', vr: 'DA', column: 'birth_date', lookup: true, returned: 'always' },
  { id: 9, name: 'PatientSex', vr: 'CS', column: 'sex', returned: 'always' },
  { id: 10, name: 'StudyID', vr: 'SH', column: 'study_id', lookup: true, returned: 'always' },
  { id: 11, name: 'TimezoneOffsetFromUTC', vr: 'SH', column: 'zone', returned: 'if-known' },
  {
    id: 12,
    name: 'StudyDescription',
    vr: 'LO',
    column: 'description',
    lookup: true,
    trigram: 'description',
    returned: 'if-known',
  },
  { id: 13, name: 'IssuerOfPatientID', vr: 'LO', lookup: true, returned: 'if-known' },
  { id: 14, name: 'InstitutionName', vr: 'LO', lookup: true },
  { id: 15, name: 'NameOfPhysiciansReadingStudy', vr: 'PN', lookup: true },
  { id: 16, name: 'PatientAge', vr: 'AS' },
  { id: 17, name: 'PatientComments', vr: 'LT' },
  { id: 18, name: 'IssuerOfAccessionNumberSequence.LocalNamespaceEntityID', vr: 'UT', lookup: true },
  { id: 19, name: 'ProcedureCodeSequence.CodeValue', vr: 'SH', lookup: true },
  { id: 20, name: 'ProcedureCodeSequence.CodingSchemeDesignator', vr: 'SH' },
  { id: 21, name: 'ProcedureCodeSequence.CodeMeaning', vr: 'LO' },
]

const SERIES: readonly Declared[] = [
  { id: 101, name: 'Modality', vr: 'CS', column: 'modality', returned: 'always' },
  { id: 102, name: 'SeriesDescription', vr: 'LO', column: 'description', lookup: true, returned: 'if-known' },
  { id: 103, name: 'SeriesInstanceUID', vr: 'UI', column: 'uid', returned: 'always' },
  { id: 104, name: 'SeriesNumber', vr: 'IS', column: 'number', returned: 'always' },
  { id: 105, name: 'SeriesDate', vr: 'DA', column: 'date' },
  { id: 106, name: 'SeriesTime', vr: 'TM', column: 'time' },
  { id: 107, name: 'BodyPartExamined', vr: 'CS', column: 'body_part', lookup: true },
  { id: 108, name: 'PerformedProcedureStepStartDate', vr: 'DA', lookup: true, returned: 'if-known' },
  { id: 109, name: 'PerformedProcedureStepStartTime', vr: 'TM', returned: 'if-known' },
  { id: 110, name: 'StationName', vr: 'SH', lookup: true },
  { id: 111, name: 'InstitutionalDepartmentName', vr: 'LO', lookup: true },
  { id: 112, name: 'Manufacturer', vr: 'LO' },
  { id: 113, name: 'ManufacturerModelName', vr: 'LO' },
  { id: 114, name: 'Laterality', vr: 'CS' },
  { id: 115, name: 'ProtocolName', vr: 'LO' },
  { id: 116, name: 'OperatorsName', vr: 'PN' },
  { id: 117, name: 'PerformingPhysicianName', vr: 'PN' },
  { id: 118, name: 'FrameOfReferenceUID', vr: 'UI', lookup: true },
  {
    id: 119,
    name: 'RequestAttributesSequence.ScheduledProcedureStepID',
    vr: 'SH',
    lookup: true,
    returned: 'if-known',
  },
  { id: 120, name: 'RequestAttributesSequence.RequestedProcedureID', vr: 'SH', lookup: true, returned: 'if-known' },
  { id: 121, name: 'RequestAttributesSequence.AccessionNumber', vr: 'SH', lookup: true },
  { id: 122, name: 'PerformedProcedureStepID', vr: 'SH', lookup: true },
]

const INSTANCE: readonly Declared[] = [
  { id: 201, name: 'SOPClassUID', vr: 'UI', column: 'sop_class', returned: 'always' },
  { id: 202, name: 'SOPInstanceUID', vr: 'UI', column: 'uid', returned: 'always' },
  { id: 203, name: 'InstanceNumber', vr: 'IS', column: 'number', returned: 'always' },
  { id: 204, name: 'Rows', vr: 'US', column: 'rows', returned: 'if-known' },
  { id: 205, name: 'Columns', vr: 'US', column: 'columns', returned: 'if-known' },
  { id: 206, name: 'BitsAllocated', vr: 'US', column: 'bits', returned: 'if-known' },
  { id: 207, name: 'NumberOfFrames', vr: 'IS', column: 'frames', returned: 'if-known' },
  { id: 208, name: 'ContentDate', vr: 'DA' },
  { id: 209, name: 'ContentTime', vr: 'TM' },
  { id: 210, name: 'ImageType', vr: 'CS' },
  { id: 211, name: 'DocumentTitle', vr: 'ST' },
  { id: 212, name: 'CompletionFlag', vr: 'CS' },
  { id: 213, name: 'VerificationFlag', vr: 'CS' },
  { id: 214, name: 'ContentLabel', vr: 'CS' },
  { id: 215, name: 'ConceptNameCodeSequence.CodeValue', vr: 'SH' },
  { id: 216, name: 'ConceptNameCodeSequence.CodeMeaning', vr: 'LO' },
]

function declared(level: Level, row: Declared): Searchable {
  const path = row.name.split('.').map((keyword) => {
    const tag = tagNamed(keyword)
    if (tag === undefined) throw new RangeError(`${keyword} is not in the dictionary`)
    return tag
  })
  return {
    id: row.id,
    path,
    key: pathKey(path),
    vr: row.vr,
    level,
    kind: row.kind ?? KINDS[row.vr] ?? 'text',
    column: row.column ?? null,
    lookup: row.lookup ?? false,
    trigram: row.trigram ?? null,
    returned: row.returned ?? 'on-request',
  }
}

/** Key of a tag path in AttributeValues: `00100010`, `00400275.00400009`. */
export function pathKey(path: readonly number[]): string {
  return path.map(tagText).join('.')
}

/** Patient's Name: its alphabetic group has a column of its own, the lookup table holds the other scripts. */
export const PATIENT_NAME_ID = 6

/** An attribute a site wants to search by, in addition: a private one, or one in a sequence. */
export interface SiteAttribute {
  /** 1000 or more; kept by the site for ever. */
  readonly id: number
  readonly path: readonly number[]
  readonly vr: string
  readonly level: Level
}

/** All attributes searches know, by key, ascending by key within a level. */
export interface SearchableTable {
  readonly byKey: ReadonlyMap<string, Searchable>
  readonly levels: { readonly [level in Level]: readonly Searchable[] }
}

/**
 * The one table of searchable attributes, with a site's own.
 * @throws RangeError for an id or path that is taken, or a site id below 1000
 */
export function searchableTable(site: readonly SiteAttribute[] = []): SearchableTable {
  const all = [
    ...STUDY.map((row) => declared('study', row)),
    ...SERIES.map((row) => declared('series', row)),
    ...INSTANCE.map((row) => declared('instance', row)),
    ...site.map((row): Searchable => {
      if (row.id < 1000) throw new RangeError(`searchable attribute ${pathKey(row.path)}: id ${row.id} is below 1000`)
      return {
        ...row,
        key: pathKey(row.path),
        kind: KINDS[row.vr] ?? 'text',
        column: null,
        lookup: true,
        trigram: null,
        returned: 'on-request',
      }
    }),
  ].sort((a, b) => (a.key < b.key ? -1 : 1))
  const byKey = new Map(all.map((row) => [row.key, row]))
  if (byKey.size !== all.length) throw new RangeError('a searchable attribute is declared twice')
  if (new Set(all.map(({ id }) => id)).size !== all.length) throw new RangeError('a searchable id is used twice')
  const of = (level: Level): readonly Searchable[] => all.filter((row) => row.level === level)
  return { byKey, levels: { study: of('study'), series: of('series'), instance: of('instance') } }
}

let standard: SearchableTable | undefined

/** The table without site additions. */
export function standardSearchables(): SearchableTable {
  standard ??= searchableTable()
  return standard
}

/** Tag paths whose values intake must extract into AttributeValues. */
export function extractedPaths(table: SearchableTable = standardSearchables()): readonly (readonly number[])[] {
  return [...table.byKey.values()].map(({ path }) => path)
}
