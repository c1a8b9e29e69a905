/** Decisions about what is withheld of patients: journalled, applied and audited in one commit. */
import { ArchiveError } from '#errors.ts'
import type { BrokenGlass, PatientGiven, Restriction, RestrictionDesk, RestrictionReader } from '#model/restriction.ts'
import { auditEvent } from '#security/audit.ts'
import type { AuditEvent } from '#security/ports.ts'
import { BREAK_GLASS } from '#security/restrictions.ts'
import type { Journal, PlacedEntry } from '#storage/journal.ts'

/** Journal kind. The id of a restriction is the number of the entry that made it. */
export const RESTRICTION_KIND = 'restriction'

/** What stands in the journal. */
export type RestrictionPayload =
  | { readonly is: 'restrict'; readonly restriction: Omit<Restriction, 'id' | 'time' | 'ended'> }
  | { readonly is: 'end'; readonly id: string; readonly by: string; readonly reason: string }

/** Where restrictions are kept; index/sqlite/restriction-store.ts. */
export interface RestrictionBook extends Pick<RestrictionReader, 'patient' | 'restriction' | 'glasses'> {
  put(restriction: Restriction): void
  end(id: string, ended: NonNullable<Restriction['ended']>): void
  breakGlass(glass: Omit<BrokenGlass, 'id' | 'ended'>): BrokenGlass
  closeGlass(id: string, time: string): void
}

export interface RestrictionTools {
  readonly book: RestrictionBook
  readonly journal: Pick<Journal, 'append'>
  commit(fn: () => void): void
  exclusively<T>(fn: () => Promise<T>): Promise<T>
  audit(events: readonly AuditEvent[]): void
}

export function createRestrictionDesk(tools: RestrictionTools): RestrictionDesk {
  const { book } = tools

  function known(given: PatientGiven): string {
    const patientId = book.patient(given)
    if (patientId === undefined) throw new ArchiveError('identity.unknown', 'there is no such patient')
    return patientId
  }

  function restrictionOf(id: string): Restriction {
    const found = book.restriction(id)
    if (found === undefined) throw new ArchiveError('request.not-found', `no restriction ${id.slice(0, 20)}`)
    return found
  }

  async function decided(payload: RestrictionPayload, event: AuditEvent): Promise<string> {
    const [entry] = await tools.journal.append([{ kind: RESTRICTION_KIND, payload }])
    if (entry === undefined) throw new ArchiveError('archive.failed', 'the journal gave no entry')
    tools.commit(() => {
      applyRestriction(book, payload, entry)
      tools.audit([event])
    })
    return payload.is === 'restrict' ? String(entry.sequence) : payload.id
  }

  return {
    restrict(given, kind, { reason, until }, by, address) {
      return tools.exclusively(async () => {
        const patientId = known(given)
        const detail = `restriction ${kind}${until === null ? '' : ` until ${until}`}: ${reason}`
        const event = auditEvent(by, { kind: 'decide', address, patientId, detail })
        return restrictionOf(
          await decided({ is: 'restrict', restriction: { patientId, kind, reason, by, until } }, event),
        )
      })
    },

    end(id, reason, by, address) {
      return tools.exclusively(async () => {
        const { patientId, kind, ended } = restrictionOf(id)
        if (ended !== null) return restrictionOf(id)
        const detail = `restriction ${id} (${kind}) ended: ${reason}`
        const event = auditEvent(by, { kind: 'decide', address, patientId, detail })
        return restrictionOf(await decided({ is: 'end', id, by, reason }, event))
      })
    },

    async breakGlass(given, reason, minutes, by, address) {
      const patientId = known(given)
      const now = Date.now()
      const until = new Date(now + minutes * 60_000).toISOString()
      let made: BrokenGlass | undefined
      tools.commit(() => {
        made = book.breakGlass({ who: by, patientId, reason, time: new Date(now).toISOString(), until, address })
        const detail = `${BREAK_GLASS} ${made.id} until ${until}: ${reason}`
        // An alert, not an ordinary entry: somebody is to look at each.
        tools.audit([auditEvent(by, { kind: 'alert', purpose: BREAK_GLASS, address, patientId, detail })])
      })
      if (made === undefined) throw new ArchiveError('archive.failed', 'broken glass that was not written')
      return made
    },

    async closeGlass(id, by, address) {
      const find = () => book.glasses({ id, limit: 1 })[0]
      const glass = find()
      if (glass === undefined) throw new ArchiveError('request.not-found', `no broken glass ${id.slice(0, 20)}`)
      tools.commit(() => {
        book.closeGlass(id, new Date().toISOString())
        const detail = `${BREAK_GLASS} ${id} of ${glass.who} ended`
        tools.audit([
          auditEvent(by, { kind: 'alert', purpose: BREAK_GLASS, address, patientId: glass.patientId, detail }),
        ])
      })
      return find() ?? glass
    },
  }
}

function applyRestriction(
  book: Pick<RestrictionBook, 'put' | 'end'>,
  payload: RestrictionPayload,
  { sequence, time }: Pick<PlacedEntry, 'sequence' | 'time'>,
): void {
  if (payload.is === 'restrict') book.put({ ...payload.restriction, id: String(sequence), time, ended: null })
  else book.end(payload.id, { by: payload.by, reason: payload.reason, time })
}

/** Carries out again what the journal says of restrictions. */
export function replayRestriction(book: Pick<RestrictionBook, 'put' | 'end'>, entry: PlacedEntry): void {
  if (entry.kind === RESTRICTION_KIND) applyRestriction(book, entry.payload as RestrictionPayload, entry)
}
