import type { KnownReport, ReportStore, ReportVersion } from '#model/report.ts'
import { EVERYTHING } from '#model/visibility.ts'
import type { Database } from './database.ts'
import { findDocument } from './document-reader.ts'

/** Versions of reports. @param db the write connection, migrated */
export function createReportStore(db: Database): ReportStore {
  return {
    versions(key) {
      const rows = db.all<{ object: string; stamp: string }>(
        "select object, stamp from report where key = ? and object <> '' order by stamp, object",
        key,
      )
      return rows.flatMap(({ object, stamp }): KnownReport[] => {
        const found = findDocument(db, object, EVERYTHING)
        if (found === undefined) return []
        const { objectId, status, phase, sha256, patientId } = found
        return [{ key, stamp, objectId, status, phase, sha256, patientId }]
      })
    },
    withdrawnAt(key) {
      const sql = "select max(stamp) as stamp from report where key = ? and object = ''"
      return db.get<{ stamp: string | null }>(sql, key)?.stamp ?? null
    },
    withdraw: (withdrawal) => putReport(db, '', withdrawal),
  }
}

/** A document is a version of a report; an empty object id: the report was taken back. */
export function putReport(db: Database, objectId: string, { key, stamp }: ReportVersion): void {
  db.run('insert or ignore into report (key, object, stamp) values (?, ?, ?)', key, objectId, stamp)
}
