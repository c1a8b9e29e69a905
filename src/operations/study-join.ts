/** A released object whose study is another patient's: it becomes part of the study, and says so from then on. */
import { ArchiveError } from '#errors.ts'
import { type ArrivedStudy, JOIN_RULE, joinChanges } from '#index/effective-overlay.ts'
import type { PatientIdentity } from '#model/archive-object.ts'
import type { LedgerCause } from '#model/identity.ts'
import type { IdentityDesk, IdentityReader } from '#model/identity-ledger.ts'
import { conflictingStudy, type QuarantineItem, type StudyJoin } from '#model/quarantine.ts'
import { joinStudy } from '#reconciliation/identity.ts'

export interface StudyJoinTools {
  readonly ledger: Pick<IdentityReader, 'entries'>
  readonly desk: IdentityDesk
  studyPatient(studyInstanceUID: string): PatientIdentity | undefined
  /** A study as it arrived, and whose it is now. */
  study(uid: string): { readonly arrived: ArrivedStudy; readonly owner: StudyJoin['patient'] } | undefined
}

/** A released object, by whom and why, and whose it says it is. */
export interface JoiningObject {
  readonly released: {
    readonly item: string
    readonly by: string
    readonly reason: string
    readonly conflictsWith: string | undefined
  }
  readonly uids: {
    readonly studyInstanceUID: string
    readonly seriesInstanceUID: string
    readonly sopInstanceUID: string
  }
  readonly patient: PatientIdentity
  readonly statedIssuer: string
}

export interface StudyJoins {
  /** What releasing an item will do besides storing it. */
  of(item: Pick<QuarantineItem, 'state' | 'findings'>): StudyJoin | undefined
  /**
   * Decides that the object is served with the patient attributes of its study.
   * @returns how to take it back; null when its study is its own patient's
   * @throws ArchiveError 'identity.conflict' when nobody was told that a release does this
   */
  join(joining: JoiningObject): Promise<(() => Promise<void>) | null>
}

const ENTRIES_MAX = 1000

export function createStudyJoins({ ledger, desk, study, studyPatient }: StudyJoinTools): StudyJoins {
  return {
    of({ state, findings }) {
      if (state !== 'held') return undefined
      const studyInstanceUid = conflictingStudy(findings)
      const kept = studyInstanceUid === undefined ? undefined : study(studyInstanceUid)
      if (kept === undefined || studyInstanceUid === undefined) return undefined
      return { studyInstanceUid, patient: kept.owner }
    },

    async join({ released, uids, patient, statedIssuer }) {
      const { studyInstanceUID, seriesInstanceUID, sopInstanceUID } = uids
      const kept = study(studyInstanceUID)
      if (kept === undefined || joinStudy(patient, studyPatient(studyInstanceUID)) !== 'conflict') return null
      if (released.conflictsWith !== studyInstanceUID) {
        throw new ArchiveError('identity.conflict', `study ${studyInstanceUID} is kept under another patient`, {
          hint: 'The item says so now. Releasing it again makes it part of that study, under the patient of the study.',
        })
      }
      const scope = { of: 'study', studyInstanceUID, seriesInstanceUID, sopInstanceUID } as const
      const standing = ledger
        .entries({ studyInstanceUID, limit: ENTRIES_MAX })
        .items.some(({ cause, undoneBy }) => undoneBy === null && isSame(cause, released.item))
      if (standing) return null
      const changes = joinChanges(kept.arrived, { id: patient.id, issuer: patient.issuer, statedIssuer })
      const cause = { by: released.by, rule: JOIN_RULE, reference: released.item, reason: released.reason }
      const [entry] = await desk.decide([{ do: 'overlay', scope, reason: 'COERCE', changes }], cause, null)
      if (entry === undefined) return null
      return async () => {
        await desk.decide([{ do: 'undo', entry: entry.id }], { ...cause, reason: 'it was not stored' }, null)
      }
    },
  }
}

function isSame(cause: LedgerCause, item: string): boolean {
  return cause.rule === JOIN_RULE && cause.reference === item
}
