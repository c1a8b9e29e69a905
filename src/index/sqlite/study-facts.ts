import type { StudyFacts, StudyFactsReader } from '#model/document-store.ts'
import type { Database } from './database.ts'

/** Facts of a study by its UID, or by an accession number that only one study has. */
export function createStudyFacts(db: Database): StudyFactsReader {
  const COLUMNS = 'uid, instant, date, modalities, accession, description'
  return {
    study(uid) {
      const row = db.get<Row>(`select ${COLUMNS} from study where uid = ?`, uid)
      return row === undefined ? undefined : factsOf(row)
    },
    ofAccession(accession) {
      if (accession === '') return undefined
      const rows = db.all<Row>(
        `select ${COLUMNS} from study where accession = ? and accession <> '' limit 2`,
        accession,
      )
      return rows.length === 1 && rows[0] !== undefined ? factsOf(rows[0]) : undefined
    },
  }
}

interface Row {
  readonly uid: string
  readonly instant: string | null
  readonly date: string
  readonly modalities: string
  readonly accession: string
  readonly description: string
}

function factsOf(row: Row): StudyFacts {
  return {
    studyInstanceUID: row.uid,
    instant: row.instant,
    date: row.date || null,
    modalities: row.modalities.split(/[\\,]/).filter((one) => one !== ''),
    accessionNumber: row.accession || null,
    description: row.description || null,
  }
}
