import type { PatientKey } from '#model/identity.ts'
import { type Correction, effectiveOverlay, JOIN_RULE, type StudyEvent } from '../effective-overlay.ts'
import type { Database } from './database.ts'
import { causeOf, type EntryStore, patientSubject, studySubject } from './ledger-entries.ts'
import type { LedgerPatients } from './ledger-patients.ts'
import { type LevelValues, textOf } from './level-values.ts'

/** What decisions make of a study. */
export interface DerivedStudy {
  /** Key of the surviving patient it belongs to. */
  readonly owner: number
  readonly events: readonly StudyEvent[]
  /** Former identifiers by tag, under which searches find it too; empty without events and with the first owner. */
  readonly aliases: Readonly<Record<string, readonly string[]>>
}

/** Works out from the ledger whose a study is and what is served of it. */
export interface StudyDerivation {
  /** True when no decision ever named the study or its patient: then it is as it arrived, and nothing is looked up. */
  isPlain(studyInstanceUID: string, patientId: string): boolean
  derive(studyInstanceUID: string, patient: number, arrived: LevelValues): DerivedStudy
}

export function createStudyDerivation(db: Database, entries: EntryStore, patients: LedgerPatients): StudyDerivation {
  const used = () => db.get('select 1 from ledger_entry limit 1') !== undefined

  return {
    isPlain(studyInstanceUID, patientId) {
      if (!used()) return true
      return !entries.isNamed(patientSubject(patientId)) && !entries.isNamed(studySubject(studyInstanceUID))
    },

    derive(studyInstanceUID, patient, arrived) {
      const first = patients.byKey(patient)
      if (first === undefined) throw new RangeError(`patient ${patient} of study ${studyInstanceUID} is missing`)
      const decisions = entries.inForce(studySubject(studyInstanceUID))
      const assignment = decisions.findLast(({ decision }) => decision.do === 'assign')
      const assigned = assignment?.decision.do === 'assign' ? assignment.decision : undefined
      const base = assigned === undefined ? first : (patients.find(assigned.patient) ?? first)
      const path = patients.path(base.key)
      const owner = path.at(-1) ?? first
      const same = owner.key === first.key
      const moves = path.flatMap(({ mergeEntry }) => {
        const entry = mergeEntry === null ? undefined : entries.byKey(mergeEntry)
        return entry === undefined ? [] : [causeOf(entry)]
      })
      if (assignment !== undefined) moves.push(causeOf(assignment))
      const corrections: Correction[] = []
      for (const entry of [...patients.corrections(owner.key), ...decisions]) {
        const { decision } = entry
        if (decision.do !== 'overlay') continue
        const { scope, reason, changes } = decision
        const series = scope.of === 'study' ? scope.seriesInstanceUID : undefined
        const instance = scope.of === 'study' ? scope.sopInstanceUID : undefined
        corrections.push({
          cause: causeOf(entry),
          reason,
          changes,
          ...(series === undefined ? {} : { series }),
          ...(instance === undefined ? {} : { instance }),
        })
      }
      const text = (tag: string) => textOf(arrived, tag)
      const orNull = (tag: string) => (text(tag) === '' ? null : text(tag))
      const events = effectiveOverlay({
        study: {
          issuer: first.issuer,
          id: first.identifier,
          statedId: text('00100020'),
          statedIssuer: text('00100021'),
          name: orNull('00100010'),
          birthDate: orNull('00100030'),
          sex: orNull('00100040'),
        },
        owner: {
          issuer: owner.issuer,
          id: owner.identifier,
          stated: owner.stated,
          told: {
            name: owner.told?.values.name ?? null,
            birthDate: owner.told?.values.birthDate ?? null,
            sex: owner.told?.values.sex ?? null,
          },
          toldBy: patients.toldCauses(owner.told),
        },
        same,
        moves,
        assigned:
          assignment === undefined || assigned === undefined
            ? null
            : { cause: causeOf(assignment), changes: assigned.changes },
        corrections,
      })
      // On its way to the owner a study was known under every number in between.
      const former: PatientKey[] = [...(same ? [] : [first]), ...path.slice(0, -1)].map((state) => ({
        issuer: state.issuer,
        id: state.identifier,
      }))
      const aliases: Record<string, readonly string[]> = {}
      // Under the number that an object of another patient came with.
      former.push(...corrections.flatMap(joinedFrom))
      if (former.length > 0) {
        aliases['00100020'] = [...new Set(former.map(({ id }) => id))].filter((id) => id !== '')
        aliases['00100021'] = [...new Set(former.map(({ issuer }) => issuer))].filter((issuer) => issuer !== '')
      }
      return { owner: owner.key, events, aliases }
    },
  }
}

function joinedFrom({ cause, changes }: Correction): PatientKey[] {
  if (cause.rule !== JOIN_RULE) return []
  const value = (path: string) => changes.find((change) => change.path === path)?.values?.[0] ?? ''
  return [{ issuer: value('00101002/0/00100021'), id: value('00101002/0/00100020') }]
}
