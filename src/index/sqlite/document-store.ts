import { ArchiveError } from '#errors.ts'
import type { DocumentOwner, RelationKind, StoredDocument } from '#model/document.ts'
import type { DecisionCause, DocumentDecision } from '#model/document-desk.ts'
import { missingOf } from '#model/document-missing.ts'
import type { DocumentStore, KnownDocument, NewDocument, NewFace } from '#model/document-store.ts'
import { patientIdOf } from '#model/patient-id.ts'
import { EVERYTHING } from '#model/visibility.ts'
import { writeArrival } from './arrivals.ts'
import type { Database } from './database.ts'
import { authorWords, codesOf, type DocumentBody, restrictionOf, STATUSES, sortTime } from './document-codes.ts'
import { createListStore } from './document-list-store.ts'
import { findDocument } from './document-reader.ts'
import { putReport } from './report-store.ts'
import { createSegmentLedger } from './segment-ledger.ts'
import { createTexts, packTime } from './texts.ts'
import { SLOTS } from './tree.ts'

/** `object.uid` of a document: never a SOP Instance UID. */
const uidOf = (uniqueId: string) => `document:${uniqueId}`

const INSERT_OBJECT = `insert into object (id, uid, version, state, patient, instance, segment, offset, length,
  data_set_offset, transfer_syntax, sop_class, sha_arrived, sha_data_set, sha_kept, overlay_version, time, verdict, scan,
  placement, findings, family, head, tail, frames)
  values (?, ?, ?, 0, 0, null, ?, ?, ?, 0, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, 'document', null, null, null)`

/** How an object of the document panel stands in `object`. */
interface ObjectRow {
  readonly objectId: string
  readonly uniqueId: string
  readonly at: { readonly segment: string; readonly offset: number; readonly length: number } | null
  readonly mediaType: string
  readonly sha256: string
  readonly time: string
  readonly verdict: string
  readonly scan: string
  readonly placement: string
  readonly findings: string | null
}

/** What is written of a document, from whichever side it came. */
interface Written {
  readonly objectId: string
  readonly uniqueId: string
  readonly entryUuid: string
  readonly kind: string
  readonly mediaType: string
  readonly size: number
  readonly sha1: string
  readonly phase: StoredDocument['phase']
  readonly owner: DocumentOwner | null
  readonly studyInstanceUID: string | null
  readonly host: { readonly key: number; readonly start: number; readonly length: number } | null
  readonly body: DocumentBody
  readonly time: string
}

/** Documents in the index of the writer: its connection, part of its transactions. */
export function createDocumentStore(db: Database): DocumentStore {
  const texts = createTexts(db)
  const segments = createSegmentLedger(db)
  const { findList, putList } = createListStore(db, patientKey)
  let rollbacks = db.rollbacks

  function refresh(): void {
    if (rollbacks === db.rollbacks) return
    rollbacks = db.rollbacks
    texts.clear()
    segments.clear()
  }

  function writeObject(row: ObjectRow): number {
    const uid = uidOf(row.uniqueId)
    const last = db.get<{ version: number; state: number }>(
      'select version, state from object where uid = ? order by version desc limit 1',
      uid,
    )
    if (last?.state === 0) throw new ArchiveError('identity.conflict', `document ${row.uniqueId} is kept already`)
    const sha = Buffer.from(row.sha256, 'hex')
    const key = db.run(
      INSERT_OBJECT,
      ...[row.objectId, uid, (last?.version ?? 0) + 1],
      ...(row.at === null ? [null, null, null] : [segments.keyOf(row.at.segment), row.at.offset, row.at.length]),
      ...[texts.keyOf(row.mediaType), texts.keyOf('document'), sha, sha, sha],
      ...[packTime(row.time), row.verdict, texts.keyOf(row.scan), texts.keyOf(row.placement), row.findings],
    ).rowid
    if (row.at !== null) {
      segments.add(row.at)
      segments.flush(null)
    }
    db.run('insert or ignore into digest (prefix, object) values (?, ?)', sha.subarray(0, 8), key)
    feed('stored', row.objectId, null, row.time)
    return key
  }

  function feed(kind: string, objectId: string, study: string | null, time: string): void {
    db.run(
      'insert into feed (kind, object, study, time) values (?, ?, ?, ?)',
      kind,
      objectId,
      study ?? '',
      packTime(time),
    )
  }

  /** Key of the owner's row, made when nobody named it before; null while nobody knows. */
  function patientKey(owner: DocumentOwner | null): number | null {
    if (owner === null) return null
    if (owner.by === 'study') {
      return db.get<{ owner: number }>('select owner from study where uid = ?', owner.studyInstanceUID)?.owner ?? null
    }
    const known = db.get<{ key: number }>(
      'select key from patient where identifier = ? and issuer = ?',
      owner.id,
      owner.issuer,
    )
    if (known !== undefined) return known.key
    db.run('update total set patients = patients + 1 where one = 1')
    return db.run(
      `insert into patient (id, issuer, identifier, issuer_assumed, name, name_key, birth_date, sex)
       values (?, ?, ?, ?, '', '', '', '')`,
      ...[patientIdOf(owner.issuer, owner.id), owner.issuer, owner.id, owner.issuerAssumed ? 1 : 0],
    ).rowid
  }

  function write(key: number, one: Written): void {
    const { metadata, missing } = one.body
    db.run(
      `insert into document (key, id, unique_id, entry_uuid, kind, media_type, size, sha1, status, phase, patient, study,
         follows, host, host_start, host_length, missing, restricted, department, title, time, creation, service_start,
         service_stop, version, created, updated, body)
       values (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?)`,
      ...[key, one.objectId, one.uniqueId, one.entryUuid, one.kind, one.mediaType, one.size],
      ...[Buffer.from(one.sha1, 'hex'), one.phase, patientKey(one.owner), one.studyInstanceUID],
      ...[one.owner?.by === 'study' ? 1 : 0, one.host?.key ?? null, one.host?.start ?? null, one.host?.length ?? null],
      ...[missing.length, restrictionOf(metadata), metadata.department ?? '', metadata.title ?? ''],
      ...[sortTime(metadata, one.time), metadata.creationTime, metadata.serviceStart, metadata.serviceStop],
      ...[one.time, one.time, JSON.stringify(one.body)],
    )
    writeKeys(key, metadata)
  }

  function writeKeys(key: number, metadata: StoredDocument['metadata']): void {
    for (const { field, code } of codesOf(metadata)) {
      db.run(
        'insert or ignore into document_code (field, code, system, document) values (?, ?, ?, ?)',
        ...[field, code.code, code.system, key],
      )
    }
    for (const { part, word } of authorWords(metadata.authors)) {
      db.run('insert or ignore into document_author (part, word, document) values (?, ?, ?)', part, word, key)
    }
    for (const { id, issuer, type } of metadata.references) {
      db.run(
        'insert or ignore into document_reference (id, issuer, type, document) values (?, ?, ?, ?)',
        ...[id, issuer, type, key],
      )
    }
  }

  function removeKeys(key: number): void {
    for (const table of ['document_code', 'document_author', 'document_reference']) {
      db.run(`delete from ${table} where document = ?`, key)
    }
  }

  /** Keeps the state that is about to change as a former version. */
  function step(objectId: string, cause: DecisionCause, time: string): { key: number; now: StoredDocument } {
    const now = findDocument(db, objectId, EVERYTHING)
    const key = db.get<{ key: number }>('select key from document where id = ? and hidden = 0', objectId)?.key
    if (now === undefined || key === undefined) throw new ArchiveError('document.unknown', `no document ${objectId}`)
    db.run(
      'insert into document_version (document, version, time, by, reason, body) values (?, ?, ?, ?, ?, ?)',
      ...[key, now.version, time, cause.by, cause.reason, JSON.stringify(now)],
    )
    db.run('update document set version = version + 1, updated = ? where key = ?', time, key)
    feed('changed', objectId, now.studyInstanceUID, time)
    return { key, now }
  }

  function say(decision: Extract<DocumentDecision, { is: 'metadata' }>, cause: DecisionCause, time: string): void {
    const { key, now } = step(decision.objectId, cause, time)
    const metadata = { ...now.metadata, ...decision.metadata }
    const said = Object.keys(decision.metadata)
    const body: DocumentBody = {
      metadata,
      sources: { ...now.sources, ...Object.fromEntries(said.map((field) => [field, decision.source])) },
      missing: now.missing.filter((field) => !said.includes(field)),
      placement: now.placement,
    }
    removeKeys(key)
    writeKeys(key, metadata)
    db.run(
      `update document set missing = ?, restricted = ?, department = ?, title = ?, time = ?, creation = ?,
         service_start = ?, service_stop = ?, body = ? where key = ?`,
      ...[body.missing.length, restrictionOf(metadata), metadata.department ?? '', metadata.title ?? ''],
      ...[sortTime(metadata, now.created), metadata.creationTime, metadata.serviceStart, metadata.serviceStop],
      ...[JSON.stringify(body), key],
    )
  }

  function own(decision: Extract<DocumentDecision, { is: 'owner' }>, cause: DecisionCause, time: string): void {
    const { key, now } = step(decision.objectId, cause, time)
    const { metadata, sources, placement } = now
    const missing = now.missing.filter((field) => field !== 'patient')
    const study = decision.owner.by === 'study' ? decision.owner.studyInstanceUID : now.studyInstanceUID
    db.run(
      'update document set patient = ?, follows = ?, study = ?, missing = ?, body = ? where key = ?',
      ...[patientKey(decision.owner), decision.owner.by === 'study' ? 1 : 0, study, missing.length],
      ...[JSON.stringify({ metadata, sources, missing, placement } satisfies DocumentBody), key],
    )
  }

  function applyOne(decision: DocumentDecision, cause: DecisionCause, time: string): void {
    switch (decision.is) {
      case 'metadata':
        say(decision, cause, time)
        return
      case 'owner':
        own(decision, cause, time)
        return
      case 'status': {
        const { key } = step(decision.objectId, cause, time)
        db.run('update document set status = ? where key = ?', STATUSES.indexOf(decision.status), key)
        if (decision.phase !== undefined) db.run('update document set phase = ? where key = ?', decision.phase, key)
        return
      }
      case 'relate':
        relate(decision.relation.kind, decision.relation.from, decision.relation.to)
        return
      case 'unrelate':
        unrelate(decision.relation.kind, decision.relation.from, decision.relation.to)
        return
      case 'list':
        putList({ ...decision.list, lastUpdated: time }, null)
        return
      case 'list-status': {
        const list = findList(decision.listId)
        if (list === undefined) throw new ArchiveError('document.unknown', `no list ${decision.listId}`)
        putList({ ...list, status: decision.status, lastUpdated: time }, null)
      }
    }
  }

  function relate(kind: RelationKind, from: string, to: string): void {
    db.run('insert or ignore into relation (source, kind, target) values (?, ?, ?)', from, kind, to)
  }

  function unrelate(kind: RelationKind, from: string, to: string): void {
    db.run('delete from relation where source = ? and kind = ? and target = ?', from, kind, to)
  }

  function inTransaction<T>(fn: () => T): T {
    refresh()
    return db.transaction(fn)
  }

  function add({ record, location }: NewDocument): void {
    const same = JSON.stringify(record.findings) === JSON.stringify(record.arrival.findings)
    const key = writeObject({
      objectId: record.objectId,
      uniqueId: record.uniqueId,
      at: location,
      mediaType: record.mediaType,
      sha256: record.sha256,
      time: record.time,
      verdict: record.verdict,
      scan: JSON.stringify(record.scan),
      placement: JSON.stringify(record.placement),
      findings: same ? null : JSON.stringify(record.findings),
    })
    const { metadata, sources, placement } = record
    write(key, {
      ...record,
      owner: record.patient,
      size: location.length,
      host: null,
      body: { metadata, sources, missing: missingOf(record), placement },
    })
    if (record.report !== undefined) putReport(db, record.objectId, record.report)
    const arrived = db.get('select 1 as one from arrival where object = ?', key)
    if (arrived === undefined) writeArrival(db, texts, { ...record.arrival, objectId: record.objectId }, key)
  }

  function addFace({ face, objectId, uniqueId, entryUuid, owner, studyInstanceUID, ...said }: NewFace): void {
    const host = db.get<{ key: number; verdict: string; scan: number }>(
      'select key, verdict, scan from object where id = ? and state = 0',
      face.objectId,
    )
    if (host === undefined) throw new ArchiveError('document.unknown', `no object ${face.objectId}`)
    const key = writeObject({
      ...{ objectId, uniqueId, at: null, mediaType: face.mediaType, sha256: face.sha256, time: said.time },
      ...{ verdict: host.verdict, scan: texts.valueOf(host.scan), findings: null },
      placement: JSON.stringify(said.placement),
    })
    const { metadata, sources, placement } = said
    write(key, {
      ...{ objectId, uniqueId, entryUuid, kind: face.kind, mediaType: face.mediaType, size: face.length },
      ...{ sha1: face.sha1, phase: face.statement.phase ?? null, owner, studyInstanceUID, time: said.time },
      host: { key: host.key, start: face.start, length: face.length },
      body: { metadata, sources, missing: missingOf({ metadata, patient: owner }), placement },
    })
    relate(face.relation, objectId, face.objectId)
  }

  function known(identifier: string): KnownDocument | undefined {
    const found = findDocument(db, identifier, EVERYTHING)
    if (found === undefined) return undefined
    const { objectId, entryUuid, sha256, status, patientId, version } = found
    return { objectId, entryUuid, sha256, status, patientId, version }
  }

  return {
    known,
    document: (identifier) => findDocument(db, identifier, EVERYTHING),
    list: findList,
    knowsPatient(owner) {
      if (owner.by === 'study') {
        return db.get('select 1 as one from study where uid = ?', owner.studyInstanceUID) !== undefined
      }
      return (
        db.get('select 1 as one from patient where identifier = ? and issuer = ?', owner.id, owner.issuer) !== undefined
      )
    },
    hasDocuments: (study) => db.get('select 1 as one from document where study = ? limit 1', study) !== undefined,
    survivorOf(owner) {
      const by =
        owner.by === 'study'
          ? { sql: 'p.key = (select owner from study where uid = ?)', params: [owner.studyInstanceUID] }
          : { sql: 'p.identifier = ? and p.issuer = ?', params: [owner.id, owner.issuer] }
      const row = db.get<{ id: string }>(
        `select coalesce(s.id, p.id) as id from patient p left join patient s on s.key = p.survivor where ${by.sql}`,
        ...by.params,
      )
      return row?.id ?? null
    },
    hostStudy(objectId) {
      return db.get<{ studyInstanceUID: string }>(
        `select s.uid as studyInstanceUID from object o join series r on r.key = o.instance / ${SLOTS}
         join study s on s.key = r.study where o.id = ? and o.state = 0`,
        objectId,
      )
    },
    recordArrival: (arrival) =>
      inTransaction(() => {
        const { objectId } = arrival
        const key =
          objectId === null
            ? null
            : (db.get<{ key: number }>('select key from object where id = ?', objectId)?.key ?? null)
        writeArrival(db, texts, arrival, key)
      }),
    add: (document) => inTransaction(() => add(document)),
    addFace: (face) => inTransaction(() => addFace(face)),
    putList: (list, owner) => inTransaction(() => putList(list, owner)),
    relate: (kind, from, to) => inTransaction(() => relate(kind, from, to)),
    unrelate: (kind, from, to) => inTransaction(() => unrelate(kind, from, to)),
    apply: (decisions, cause, time) =>
      inTransaction(() => {
        for (const decision of decisions) applyOne(decision, cause, time)
      }),
    delete: (objectId, cause, time, purgeAfter) =>
      inTransaction(() => {
        const row = db.get<{ key: number; uid: string; study: string | null }>(
          `select d.key, o.uid, d.study from document d join object o on o.key = d.key where d.id = ? and d.hidden = 0`,
          objectId,
        )
        if (row === undefined) return false
        step(objectId, cause, time)
        const tombstone = db.run(
          'insert into deletion (study, series, uid, by, reason, time, purge_after) values (?, null, ?, ?, ?, ?, ?)',
          ...[row.study ?? '', row.uid, cause.by, cause.reason, time, purgeAfter],
        ).rowid
        db.run('update document set hidden = 1 where key = ?', row.key)
        db.run('update object set state = 1, deletion = ? where key = ?', tombstone, row.key)
        removeKeys(row.key)
        db.run('delete from words where rowid = ?', row.key)
        db.run('delete from words_read where object = ?', row.key)
        feed('deleted', objectId, row.study, time)
        return true
      }),
  }
}
