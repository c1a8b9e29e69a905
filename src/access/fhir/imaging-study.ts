import type { Identifier, ImagingStudy, ImagingStudySeries } from '@medplum/fhirtypes'
import type { FhirStudyRow } from '#model/fhir-reader.ts'
import type { Query } from '#model/search.ts'
import { EVERYTHING } from '#model/visibility.ts'
import { tokenOf } from '#standards/fhir/search-syntax.ts'
import { derived, type Loose, type LooseReference } from './compact.ts'
import type { Criteria } from './criteria.ts'
import { type DicomJson, firstText, numberAt, personAt, textsAt } from './dicom-json.ts'
import { encounterReference } from './encounter.ts'
import { IMAGING_ENDPOINTS } from './endpoint.ts'
import type { Caller, FhirSources, ResourceKind } from './kind.ts'
import { fhirDate } from './patient.ts'

const DCM = 'http://dicom.nema.org/resources/ontology/DCM'
const V2_0203 = 'http://terminology.hl7.org/CodeSystem/v2-0203'
/** More series or instances than this are left to DICOMweb: the counts are true all the same. */
const SERIES_MAX = 1000
const INSTANCES_MAX = 100

const LATERALITY: Readonly<Record<string, { code: string; display: string }>> = {
  L: { code: '7771000', display: 'Left' },
  R: { code: '24028007', display: 'Right' },
}

/** Identifier of a study. services.md G.2. */
export function studyIdentifier(studyInstanceUID: string): Identifier {
  return { system: 'urn:dicom:uid', value: `urn:oid:${studyInstanceUID}` }
}

const UNKNOWN = { system: 'http://terminology.hl7.org/CodeSystem/v3-NullFlavor', code: 'UNK' }

const modality = (code: string | undefined) => (code === undefined ? undefined : { system: DCM, code })

/** A query for everything below a study, newest state, overlay applied. */
function below(level: Query['level'], studyInstanceUID: string, limit: number): Query {
  return {
    ...{ level, scope: { studyInstanceUID }, match: [], include: 'all', fuzzy: false },
    ...{ order: null, limit, offset: 0, after: null },
  }
}

async function rowsOf(sources: FhirSources, query: Query, { visibility }: Caller): Promise<DicomJson[]> {
  const { rows } = await sources.reader.search(query, visibility)
  return rows.map(({ json }) => JSON.parse(json) as DicomJson)
}

export async function imagingStudyOf(
  sources: FhirSources,
  row: FhirStudyRow,
  caller: Caller,
): Promise<ImagingStudy | undefined> {
  const { studyInstanceUID: uid } = row
  const [study] = await rowsOf(sources, below('study', uid, 1), caller)
  if (study === undefined) return undefined
  const series = await rowsOf(sources, below('series', uid, SERIES_MAX), caller)
  const instances = numberAt(study, '00201208') ?? 0
  const listed = instances > INSTANCES_MAX ? [] : await rowsOf(sources, below('instance', uid, INSTANCES_MAX), caller)
  const accession = firstText(study, '00080050')
  const accessionIssuer = firstText(study, '00080051')
  const time = firstText(study, '00080030')
  const [order] = sources.fhir.orders({ studyInstanceUIDs: [uid], limit: 1 }, EVERYTHING).items
  const person = (tag: string): LooseReference[] => {
    const display = personAt(study, tag)
    return display === undefined ? [] : [{ display }]
  }
  return derived<ImagingStudy>(
    {
      resourceType: 'ImagingStudy',
      id: uid,
      identifier: [
        studyIdentifier(uid),
        ...(accession === undefined
          ? []
          : [
              {
                type: { coding: [{ system: V2_0203, code: 'ACSN' }] },
                system: accessionIssuer,
                value: accession,
              },
            ]),
        ...textsAt(study, '00200010').map((value) => ({ use: 'secondary' as const, value })),
      ],
      status: 'available',
      modality: textsAt(study, '00080061').map((code) => modality(code)),
      subject: { reference: `Patient/${row.patientId}` },
      encounter: encounterReference(sources.fhir, row.patientId, order?.order.admissionId ?? null),
      started: row.instant !== null && time !== undefined ? row.instant : fhirDate(firstText(study, '00080020')),
      basedOn:
        order !== undefined
          ? [{ reference: `ServiceRequest/${order.order.id}` }]
          : accession === undefined
            ? []
            : [{ identifier: { system: accessionIssuer, value: accession } }],
      referrer: person('00080090')[0],
      interpreter: person('00081060'),
      endpoint: IMAGING_ENDPOINTS.map((id) => ({ reference: `Endpoint/${id}` })),
      numberOfSeries: numberAt(study, '00201206'),
      numberOfInstances: instances,
      procedureCode: textsAt(study, '00081032.00080104').map((text) => ({ text })),
      description: firstText(study, '00081030'),
      series: series.map((one) => seriesOf(one, listed)),
    },
    row.lastUpdated,
  )
}

function seriesOf(one: DicomJson, instances: readonly DicomJson[]): Loose<ImagingStudySeries> {
  const uid = firstText(one, '0020000E') ?? ''
  const body = firstText(one, '00180015')
  const side = LATERALITY[firstText(one, '00200060') ?? '']
  const performer = personAt(one, '00081050')
  return {
    uid,
    number: numberAt(one, '00200011'),
    // FHIR wants one; old objects have none.
    modality: modality(firstText(one, '00080060')) ?? UNKNOWN,
    description: firstText(one, '0008103E'),
    numberOfInstances: numberAt(one, '00201209'),
    // The defined terms of Body Part Examined have no system of their own in FHIR. PS3.16 annex L.
    bodySite: body === undefined ? undefined : { display: body },
    laterality: side === undefined ? undefined : { system: 'http://snomed.info/sct', ...side },
    started: fhirDate(firstText(one, '00080021')),
    performer: performer === undefined ? [] : [{ actor: { display: performer } }],
    instance: instances
      .filter((instance) => firstText(instance, '0020000E') === uid)
      .map((instance) => ({
        uid: firstText(instance, '00080018') ?? '',
        sopClass: { system: 'urn:ietf:rfc:3986', code: `urn:oid:${firstText(instance, '00080016')}` },
        number: numberAt(instance, '00200013'),
        title:
          firstText(instance, '00420010') ??
          firstText(instance, '0040A043.00080104') ??
          firstText(instance, '00700080'),
      })),
  }
}

/** Study Instance UIDs or accession numbers a condition asks for. It stays: numbers are compared with their system. */
function identifiersAsked(criteria: Criteria): { uids?: string[]; accessionNumbers?: string[] } {
  const codes = criteria.peek('identifier')?.values.map((value) => tokenOf(value).code)
  if (codes === undefined) return {}
  const uids = codes.flatMap((code) => {
    const uid = code?.replace(/^urn:oid:/i, '') ?? ''
    return /^[0-2](\.\d+)+$/.test(uid) ? [uid] : []
  })
  if (uids.length === codes.length) return { uids }
  return uids.length === 0 && codes.every((code) => code !== null) ? { accessionNumbers: codes as string[] } : {}
}

/** Days a condition on `started` may be about: one more at each end, for the zone. Compared exactly afterwards. */
export function daysAsked(criteria: Criteria, code: string): { from?: string; to?: string } {
  const [only, ...more] = criteria.peek(code)?.values ?? []
  const match = /^(eq|ge|gt|le|lt|sa|eb)?(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?/.exec(only ?? '')
  if (match === null || more.length > 0) return {}
  const [, prefix = 'eq', year, month, day] = match
  const first = Date.UTC(Number(year), Number(month ?? 1) - 1, Number(day ?? 1))
  const end = Date.UTC(Number(year), Number(month ?? 12) - 1, Number(day ?? 31))
  const text = (time: number) => new Date(time).toISOString().slice(0, 10).replaceAll('-', '')
  const from = text(first - 86_400_000)
  const to = text(end + 2 * 86_400_000)
  if (prefix === 'eq') return { from, to }
  return prefix === 'ge' || prefix === 'gt' || prefix === 'sa' ? { from } : { to }
}

export const imagingStudyKind: ResourceKind = {
  type: 'ImagingStudy',
  made: 'derived',
  owner: 'the image panel (`index/sqlite/study*`), corrections and ownership by the identity ledger',
  writable: 'nothing: 405; corrections are decisions of the pages and stay in force when more instances come',
  versions: 'digest of the content; `lastUpdated` of the last instance or decision; no history',
  needs: { read: 'object.read' },
  parameters: [
    ...[
      'patient',
      'subject',
      'identifier',
      'started',
      'modality',
      'status',
      'series',
      'instance',
      'basedon',
      'endpoint',
      'encounter',
    ],
    ...['dicom-class', 'bodysite', 'performer', 'referrer', 'interpreter'],
  ],
  includes: ['patient', 'subject', 'endpoint', 'basedon', 'encounter'],
  revIncludes: ['DocumentReference:related', 'DiagnosticReport:imaging-study', 'Observation:derived-from'],
  sorts: ['-started'],
  history: false,
  source(sources) {
    const made = async (rows: readonly FhirStudyRow[], caller: Caller) => {
      const found: ImagingStudy[] = []
      for (const row of rows) {
        const study = await imagingStudyOf(sources, row, caller)
        if (study !== undefined) found.push(study)
      }
      return found
    }
    return {
      async read(id, caller) {
        const { items } = sources.fhir.studies({ uids: [id], limit: 1 }, caller.visibility)
        return (await made(items, caller))[0]
      },
      async search(criteria, { limit, cursor }, caller) {
        const ids = criteria.values('_id')
        const identifiers = identifiersAsked(criteria)
        const uids = ids ?? identifiers.uids
        const patientIds = criteria.patients()
        const modalities = criteria.peek('modality')?.values.map((value) => tokenOf(value).code ?? '')
        const page = sources.fhir.studies(
          {
            limit,
            ...(cursor === undefined ? {} : { cursor }),
            ...(uids === undefined ? {} : { uids }),
            ...(patientIds === undefined ? {} : { patientIds }),
            ...(identifiers.accessionNumbers === undefined ? {} : { accessionNumbers: identifiers.accessionNumbers }),
            ...(modalities === undefined || modalities.includes('') ? {} : { modalities }),
            date: daysAsked(criteria, 'started'),
          },
          caller.visibility,
        )
        return { resources: await made(page.items, caller), next: page.next }
      },
    }
  },
}
