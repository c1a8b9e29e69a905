import { constants, inflateRawSync } from 'node:zlib'
import type { StoredDocument } from '#model/document.ts'
import {
  CT_IMAGE,
  type DocumentFacts,
  type InstanceFacts,
  isImageClass,
  isLookedAt,
  type Situation,
} from '#model/placement-facts.ts'
import { EVERYTHING } from '#model/visibility.ts'
import { type JsonDataSet, valuesAt } from '#standards/dicom/json-path.ts'
import type { Database } from './database.ts'
import { findDocument } from './document-reader.ts'
import { SLOTS } from './tree.ts'

/** Instances of one study that are looked at one by one; more are a study that no rule is made for. */
const INSTANCES_MAX = 2000
const DOCUMENTS_MAX = 1000
/** Metadata larger than this, in bytes of JSON, are not opened: the object then says nothing. */
const RAW_MAX = 8 * 1024 * 1024
/** A CT series of so many images may be a dose page. */
const SMALL_SERIES = 3

/** Gathers what placement rules look at. Any connection. */
export interface SituationReader {
  study(studyInstanceUID: string): Situation
  /** A document that belongs to no study, with what shares its order. Undefined when there is none. */
  document(objectId: string): Situation | undefined
  /** Who a patient is, in words of DICOM. */
  person(patientId: string): Person | undefined
  /** Studies in order of their keys, for a dry run or a survey. */
  studies(after: number, limit: number): readonly { readonly key: number; readonly studyInstanceUID: string }[]
  /** Documents that belong to no study, in order of their keys. */
  loose(after: number, limit: number): readonly { readonly key: number; readonly objectId: string }[]
  /** How many of both there are. */
  count(): { readonly studies: number; readonly documents: number }
  /**
   * What an object is, whichever time it was stored: the digest of its data set, also of one that was hidden; of a
   * document its object id.
   */
  tokenOf(objectId: string): string
  /** Objects that arrived as made by this decision. */
  facesBy(decisionId: string, rule: string): readonly string[]
  /** Documents whose bytes are a range of this object. */
  hostedIn(objectId: string): readonly string[]
  related(kind: string, from: string, to: string): boolean
}

/** As a DICOM object names its patient. */
export interface Person {
  readonly name: string
  readonly id: string
  readonly issuer: string
  readonly birthDate: string
  readonly sex?: 'F' | 'M' | 'O'
}

interface InstanceRow {
  readonly object: string
  readonly uid: string
  readonly sop_class: string
  readonly transfer_syntax: string
  readonly series: string
  readonly number: number | null
  readonly instances: number
  readonly modality: string
  readonly description: string
  readonly frames: number | null
  readonly rows: number | null
  readonly columns: number | null
  readonly originator: string | null
  readonly face_of: string | null
  readonly chunk: Uint8Array
  readonly raw_length: number
}

export function createSituationReader(db: Database): SituationReader {
  /** Classes of a study with how many instances each has, per series. */
  function classesOf(study: string): { series: number; sop_class: number; value: string; n: number }[] {
    return db.all(
      `select r.key as series, i.sop_class, t.value, count(*) as n from study s join series r on r.study = s.key
         join instance i on i.key >= r.key * ${SLOTS} and i.key < (r.key + 1) * ${SLOTS}
         join text t on t.key = i.sop_class
       where s.uid = ? group by r.key, i.sop_class`,
      study,
    )
  }

  function instancesOf(series: number, sopClass: number, limit: number): InstanceRow[] {
    return db.all(
      `select o.id as object, i.uid, t.value as sop_class, ts.value as transfer_syntax, r.uid as series, r.number,
         r.instances, r.modality, r.description, i.frames, i.rows, i.columns, i.chunk, i.raw_length,
         (select a.source from arrival a where a.object = o.key order by a.key limit 1) as originator,
         (select target from relation where source = o.id and kind = 'face' limit 1) as face_of
       from series r join instance i on i.key >= r.key * ${SLOTS} and i.key < (r.key + 1) * ${SLOTS}
         join object o on o.key = i.object join text t on t.key = i.sop_class
         join text ts on ts.key = o.transfer_syntax
       where r.key = ? and i.sop_class = ? order by i.key limit ?`,
      ...[series, sopClass, limit],
    )
  }

  /** Door, peer and originator of the arrival that an object came with. */
  function sourceOf(source: unknown): { readonly originator: string | null; readonly decision: string | null } {
    const text =
      typeof source === 'number'
        ? db.get<{ value: string }>('select value from text where key = ?', source)?.value
        : undefined
    const parts: unknown = text === undefined ? null : JSON.parse(text)
    if (!Array.isArray(parts)) return { originator: null, decision: null }
    const [door, peer, originator] = parts as readonly unknown[]
    // What placement made says by which decision: its relation may not be written yet.
    const made = door === 'placement' && typeof peer === 'string' ? /^\S+ (\d+\.\d+)$/.exec(peer) : null
    return { originator: typeof originator === 'string' ? originator : null, decision: made?.[1] ?? null }
  }

  /** The document a decision made a face of; the decision itself where the index no longer knows it. */
  function documentOf(decision: string): string {
    const row = db.get<{ document: string | null }>(
      "select body ->> '$.effect.document' as document from placement_decision where id = ?",
      decision,
    )
    return row?.document ?? decision
  }

  function documentsOf(where: string, ...params: (string | number)[]): DocumentFacts[] {
    const rows = db.all<{ id: string }>(
      `select d.id from document d where d.hidden = 0 and ${where} order by d.id limit ${DOCUMENTS_MAX}`,
      ...params,
    )
    return rows.flatMap(({ id }) => {
      const found = findDocument(db, id, EVERYTHING)
      return found === undefined ? [] : [documentFactsOf(found, originatorOfDocument(found.objectId))]
    })
  }

  function originatorOfDocument(objectId: string): string | null {
    const row = db.get<{ source: number }>(
      'select a.source from object o join arrival a on a.object = o.key where o.id = ? order by a.key limit 1',
      objectId,
    )
    return sourceOf(row?.source).originator
  }

  /** Accession numbers of a study lead to documents that do not name its UID. */
  function siblings(study: string): string {
    const accession = db.get<{ accession: string }>('select accession from study where uid = ?', study)?.accession
    return accession ?? ''
  }

  return {
    study(studyInstanceUID) {
      const instances: InstanceFacts[] = []
      let imageCount = 0
      for (const { series, sop_class: key, value, n } of classesOf(studyInstanceUID)) {
        if (isImageClass(value)) imageCount += n
        const maybeDose = value === CT_IMAGE && n <= SMALL_SERIES
        if ((!isLookedAt(value) && !maybeDose) || instances.length >= INSTANCES_MAX) continue
        for (const row of instancesOf(series, key, INSTANCES_MAX - instances.length)) {
          const { originator, decision } = sourceOf(row.originator)
          const faceOf = row.face_of ?? (decision === null ? null : documentOf(decision))
          instances.push(instanceFactsOf(row, originator, faceOf))
        }
      }
      const accession = siblings(studyInstanceUID)
      const documents = documentsOf(
        `(d.study = ?1 or (?2 <> '' and d.study is null and d.key in
           (select document from document_reference where id = ?2 and type = 'accession')))`,
        studyInstanceUID,
        accession,
      ).map((one) => ({ ...one, studyInstanceUID }))
      return { studyInstanceUID, instances, documents, imageCount }
    },
    document(objectId) {
      const found = findDocument(db, objectId, EVERYTHING)
      if (found === undefined) return undefined
      if (found.studyInstanceUID !== null) return this.study(found.studyInstanceUID)
      const numbers = found.metadata.references.filter(({ type }) => type === 'accession' || type === 'order')
      const documents =
        numbers.length === 0
          ? documentsOf('d.id = ?', objectId)
          : documentsOf(
              `d.study is null and d.key in (select document from document_reference
                 where id in (select value from json_each(?)) and type in ('accession', 'order'))`,
              JSON.stringify(numbers.map(({ id }) => id)),
            )
      return { studyInstanceUID: null, instances: [], documents, imageCount: 0 }
    },
    person(patientId) {
      const row = db.get<{ issuer: string; identifier: string; name: string; birth_date: string; sex: string }>(
        'select issuer, identifier, name, birth_date, sex from patient where id = ?',
        patientId,
      )
      if (row === undefined) return undefined
      const { issuer, identifier: id, name, birth_date: birthDate, sex } = row
      return { name, id, issuer, birthDate, ...(sex === 'F' || sex === 'M' || sex === 'O' ? { sex } : {}) }
    },
    studies(after, limit) {
      return db.all(
        'select key, uid as studyInstanceUID from study where key > ? and instances > 0 order by key limit ?',
        after,
        limit,
      )
    },
    loose(after, limit) {
      return db.all(
        'select key, id as objectId from document where key > ? and study is null and hidden = 0 order by key limit ?',
        after,
        limit,
      )
    },
    count() {
      const row = db.get<{ studies: number; documents: number }>(
        `select (select count(*) from study where instances > 0) as studies,
           (select count(*) from document where study is null and hidden = 0) as documents`,
      )
      return row ?? { studies: 0, documents: 0 }
    },
    facesBy(decisionId, rule) {
      const peer = `${rule} ${decisionId}`
      return db
        .all<{ id: string }>(
          `select distinct o.id from text t join arrival a on a.source = t.key join object o on o.key = a.object
           where t.value = ? and o.state = 0`,
          JSON.stringify(['placement', peer, null, null, null, null]),
        )
        .map(({ id }) => id)
    },
    hostedIn(objectId) {
      return db
        .all<{ id: string }>(
          'select d.id from object o join document d on d.host = o.key where o.id = ? and d.hidden = 0 order by d.id',
          objectId,
        )
        .map(({ id }) => id)
    },
    related: (kind, from, to) =>
      db.get('select 1 as one from relation where source = ? and kind = ? and target = ?', from, kind, to) !==
      undefined,
    tokenOf(objectId) {
      const row = db.get<{ token: string }>(
        `select lower(hex(o.sha_data_set)) as token from object o
         where o.id = ? and not exists (select 1 from document d where d.key = o.key)`,
        objectId,
      )
      return row === undefined || row.token === '' ? objectId : row.token
    },
  }
}

function instanceFactsOf(row: InstanceRow, originator: string | null, faceOf: string | null): InstanceFacts {
  const dataSet = dataSetOf(row)
  const all = (path: string) => valuesAt(dataSet, path).map((value) => String(value).trim())
  const one = (path: string): string | null => all(path)[0] || null
  const number = (path: string): number | null => {
    const value = Number(one(path) ?? Number.NaN)
    return Number.isFinite(value) ? value : null
  }
  const code = (path: string): string | null => {
    const value = one(`${path}/00080100`)
    return value === null ? null : `${value}^${one(`${path}/00080102`) ?? ''}`
  }
  const purposes = Array.from({ length: 8 }, (_, i) => code(`0018A001/${i}/0040A170/0`)).filter((text) => text !== null)
  return {
    objectId: row.object,
    sopInstanceUID: row.uid,
    sopClassUID: row.sop_class,
    transferSyntaxUID: row.transfer_syntax,
    seriesInstanceUID: row.series,
    seriesNumber: row.number,
    seriesInstances: row.instances,
    modality: row.modality || null,
    imageType: all('00080008'),
    conversionType: one('00080064'),
    seriesDescription: row.description || null,
    texts: ['0008103E', '00204000', '00420010', '00181030', '00081030'].flatMap((tag) => one(tag) ?? []),
    manufacturer: one('00080070'),
    model: one('00081090'),
    scManufacturer: one('00181016'),
    scModel: one('00181018'),
    rows: row.rows,
    columns: row.columns,
    frames: row.frames ?? 1,
    samplesPerPixel: number('00280002'),
    bitsAllocated: number('00280100'),
    windowCenter: number('00281050'),
    windowWidth: number('00281051'),
    bodyPart: one('00180015') ?? one('00082218/0/00080100'),
    cineRate: number('00180040') ?? number('00082144'),
    frameIncrementPointer: one('00280009'),
    hasDocumentClassCode: one('0040E008/0/00080100') !== null,
    equipmentPurposes: purposes,
    documentMediaType: one('00420012'),
    conceptName: code('0040A043/0'),
    department: one('00081040'),
    originator,
    faceOf,
  }
}

function dataSetOf({ chunk, raw_length: length }: InstanceRow): JsonDataSet {
  if (length <= 0 || length > RAW_MAX) return {}
  const text = inflateRawSync(chunk, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: length }).toString()
  const parsed: unknown = JSON.parse(text)
  return typeof parsed === 'object' && parsed !== null ? (parsed as JsonDataSet) : {}
}

function documentFactsOf(document: StoredDocument, originator: string | null): DocumentFacts {
  const { metadata } = document
  const numbers = (type: string) => metadata.references.filter((one) => one.type === type).map(({ id }) => id)
  const accessionNumbers = numbers('accession')
  const orders = numbers('order')
  const key = orders[0] ?? accessionNumbers[0]
  const face = document.relations.find(({ kind }) => kind === 'face')
  const report = metadata.typeCode !== null && key !== undefined
  return {
    objectId: document.objectId,
    kind: document.kind,
    title: metadata.title,
    typeCode: metadata.typeCode?.code ?? null,
    department: metadata.department,
    originator,
    studyInstanceUID: document.studyInstanceUID,
    accessionNumbers,
    hasOrder: key !== undefined,
    faceOf: document.content.in === 'object' ? document.content.objectId : (face?.to ?? null),
    status: document.status,
    creationTime: metadata.creationTime,
    authors: metadata.authors.flatMap(({ person }) => person ?? []),
    reportKey: report ? `${key} ${metadata.typeCode?.code} ${(metadata.creationTime ?? '').slice(0, 10)}` : null,
  }
}
