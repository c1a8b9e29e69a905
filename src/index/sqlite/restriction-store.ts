import {
  type BrokenGlass,
  type PatientGiven,
  RESTRICTION_LEVEL,
  type Restriction,
  type RestrictionKind,
  type RestrictionReader,
} from '#model/restriction.ts'
import type { Database, SqlParam } from './database.ts'
import { personKeys } from './document-rows.ts'

/** Restrictions in the index of the writer; each method is part of the caller's transaction. */
export interface RestrictionStore extends RestrictionReader {
  /** Also when the journal is read again: the same restriction twice is one. */
  put(restriction: Restriction): void
  end(id: string, ended: NonNullable<Restriction['ended']>): void
  breakGlass(glass: Omit<BrokenGlass, 'id' | 'ended'>): BrokenGlass
  closeGlass(id: string, time: string): void
}

interface Row {
  readonly key: number
  readonly patient: string
  readonly kind: RestrictionKind
  readonly reason: string
  readonly by: string
  readonly time: string
  readonly until: string | null
  readonly ended: string | null
  readonly ended_by: string | null
  readonly ended_reason: string | null
}

interface GlassRow extends Omit<BrokenGlass, 'id' | 'patientId'> {
  readonly key: number
  readonly patient: string
}

const COLUMNS = 'key, patient, kind, reason, by, time, until, ended, ended_by, ended_reason'
const GLASS = 'key, who, patient, reason, time, until, address, ended'

function restrictionOf(row: Row): Restriction {
  const { key, patient, kind, reason, by, time, until, ended } = row
  return {
    ...{ id: String(key), patientId: patient, kind, reason, by, time, until },
    ended: ended === null ? null : { time: ended, by: row.ended_by ?? '', reason: row.ended_reason ?? '' },
  }
}

function glassOf({ key, patient, ...rest }: GlassRow): BrokenGlass {
  return { id: String(key), patientId: patient, ...rest }
}

const numberOf = (id: string): number => (/^[1-9]\d{0,14}$/.test(id) ? Number(id) : 0)

export function createRestrictionStore(db: Database): RestrictionStore {
  /** Keys of restricted persons that are among these, or all of a study's owner. */
  function ownerOf(what: {
    readonly studyInstanceUID?: string | null
    readonly patientId?: string | null
  }): number | null {
    const { studyInstanceUID: study, patientId } = what
    const row =
      patientId !== null && patientId !== undefined
        ? db.get<{ key: number }>('select coalesce(survivor, key) as key from patient where id = ?', patientId)
        : study !== null && study !== undefined
          ? db.get<{ key: number }>('select owner as key from study where uid = ?', study)
          : undefined
    return row?.key ?? null
  }

  return {
    any: () => db.get('select 1 as one from patient_restriction where ended is null limit 1') !== undefined,
    patient(given: PatientGiven) {
      const row =
        'patientId' in given
          ? db.get<{ id: string }>('select id from patient where id = ?', given.patientId)
          : db.get<{ id: string }>('select id from patient where issuer = ? and identifier = ?', given.issuer, given.id)
      return row?.id
    },
    restriction(id) {
      const row = db.get<Row>(`select ${COLUMNS} from patient_restriction where key = ?`, numberOf(id))
      return row === undefined ? undefined : restrictionOf(row)
    },
    restrictions({ patientId, all, limit }) {
      const where: string[] = ['1']
      const params: SqlParam[] = []
      if (patientId !== undefined) {
        where.push('patient in (select id from patient where key in (select value from json_each(?)))')
        params.push(JSON.stringify(personKeys(db, [patientId])))
      }
      if (all !== true) where.push('ended is null')
      return db
        .all<Row>(
          `select ${COLUMNS} from patient_restriction where ${where.join(' and ')} order by key desc limit ?`,
          ...params,
          limit,
        )
        .map(restrictionOf)
    },
    brokenBy(who, now) {
      return db
        .all<{ patient: string }>(
          'select distinct patient from break_glass where who = ? and until > ? and ended is null',
          ...[who, now],
        )
        .map(({ patient }) => patient)
    },
    glasses({ id, who, open, limit }) {
      const where: string[] = ['1']
      const params: SqlParam[] = []
      if (id !== undefined) {
        where.push('key = ?')
        params.push(numberOf(id))
      }
      if (who !== undefined) {
        where.push('who = ?')
        params.push(who)
      }
      if (open === true) {
        where.push('ended is null and until > ?')
        params.push(new Date().toISOString())
      }
      return db
        .all<GlassRow>(
          `select ${GLASS} from break_glass where ${where.join(' and ')} order by key desc limit ?`,
          ...params,
          limit,
        )
        .map(glassOf)
    },
    concerns(what, patientIds) {
      const owner = ownerOf(what)
      if (owner === null) return { watched: false, among: false }
      const watched = db.get(
        `select 1 as one from patient_restriction r join patient p on p.id = r.patient
         where r.kind = 'vip' and r.ended is null and (r.until is null or r.until > ?)
           and coalesce(p.survivor, p.key) = ?`,
        ...[new Date().toISOString(), owner],
      )
      const among = patientIds.length > 0 && personKeys(db, patientIds).includes(owner)
      return { watched: watched !== undefined, among }
    },

    put({ id, patientId, kind, reason, by, time, until }) {
      db.run(
        `insert or replace into patient_restriction (key, patient, kind, level, reason, by, time, until)
         values (?, ?, ?, ?, ?, ?, ?, ?)`,
        ...[numberOf(id), patientId, kind, RESTRICTION_LEVEL[kind], reason, by, time, until],
      )
    },
    end(id, { by, time, reason }) {
      db.run(
        'update patient_restriction set ended = ?, ended_by = ?, ended_reason = ? where key = ? and ended is null',
        ...[time, by, reason, numberOf(id)],
      )
    },
    breakGlass({ who, patientId, reason, time, until, address }) {
      const row = db.get<GlassRow>(
        `insert into break_glass (who, patient, reason, time, until, address) values (?, ?, ?, ?, ?, ?)
         returning ${GLASS}`,
        ...[who, patientId, reason, time, until, address],
      )
      if (row === undefined) throw new TypeError('broken glass that was not written')
      return glassOf(row)
    },
    closeGlass(id, time) {
      db.run('update break_glass set ended = ? where key = ? and ended is null', time, numberOf(id))
    },
  }
}
