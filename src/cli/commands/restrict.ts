import { type PatientGiven, RESTRICTION_KINDS, type Restriction } from '#model/restriction.ts'
import { type ArchiveCommand, action, type Given, isSet, needed, operand, text, UsageError } from '../command.ts'
import { oneLine } from '../terminal.ts'

const BY = 'local'
const LIST_MAX = 1000

export const restrictCommand: ArchiveCommand = {
  runs: 'in-owner',
  name: 'restrict',
  needsData: true,
  summary: 'Restrict the record of a patient: by consent, by confidentiality, or watched',
  operands: 'add PATIENT | end RESTRICTION | list [PATIENT]',
  flags: {
    issuer: {
      type: 'string',
      value: 'ISSUER',
      about: 'of the patient identifier; without it PATIENT is the id of lists',
    },
    kind: { type: 'string', value: 'KIND', about: `add: ${RESTRICTION_KINDS.join(', ')}` },
    until: { type: 'string', value: 'TIME', about: 'add: it ends by itself at this instant' },
    reason: { type: 'string', value: 'TEXT', about: 'why; needed to add and to end' },
    ended: { type: 'boolean', about: 'list: also those that were ended' },
  },
  operandCount: [1, 2],
  async run({ restrictions, restrictionDesk: desk }, given, emit) {
    const what = action(given, ['add', 'end', 'list'])
    if (what === 'list') {
      const named = given.positionals[1]
      const patientId = named === undefined ? undefined : restrictions.patient(patientOf(given))
      if (named !== undefined && patientId === undefined) throw new UsageError('there is no such patient')
      const items = restrictions.restrictions({
        ...{ all: isSet(given, 'ended'), limit: LIST_MAX },
        ...(patientId === undefined ? {} : { patientId }),
      })
      for (const item of items) await emit({ json: item, text: lineOf(item) })
      if (items.length === 0) await emit({ note: 'Nothing is restricted.' })
      return 0
    }
    const reason = needed(given, 'reason')
    if (what === 'end') {
      const ended = await desk.end(operand(given, 1, 'the number of the restriction'), reason, BY, null)
      await emit({ json: ended, text: lineOf(ended) })
      return 0
    }
    const kind = RESTRICTION_KINDS.find((one) => one === text(given, 'kind'))
    if (kind === undefined) throw new UsageError(`--kind is one of ${RESTRICTION_KINDS.join(', ')}`)
    const end = text(given, 'until')
    if (end !== undefined && Number.isNaN(Date.parse(end))) throw new UsageError('--until wants an instant')
    const until = end === undefined ? null : new Date(end).toISOString()
    const made = await desk.restrict(patientOf(given), kind, { reason, until }, BY, null)
    await emit({ json: made, text: lineOf(made) })
    return 0
  },
}

export const breakGlassCommand: ArchiveCommand = {
  runs: 'in-owner',
  name: 'break-glass',
  needsData: true,
  summary: 'See who opened whose restricted record, and close it again',
  operands: 'list | end NUMBER',
  flags: {
    open: { type: 'boolean', about: 'list: only what is open now' },
    who: { type: 'string', value: 'NAME', about: 'list: of this account or token' },
  },
  more: 'The glass is broken by the person who treats: POST /api/v1/break-glass, with a reason.',
  operandCount: [1, 2],
  async run({ restrictions, restrictionDesk: desk }, given, emit) {
    if (action(given, ['list', 'end']) === 'end') {
      const closed = await desk.closeGlass(operand(given, 1, 'the number'), BY, null)
      await emit({ json: closed, text: `${closed.id} is closed` })
      return 0
    }
    const who = text(given, 'who')
    const items = restrictions.glasses({
      ...{ open: isSet(given, 'open'), limit: LIST_MAX },
      ...(who === undefined ? {} : { who }),
    })
    for (const item of items) {
      const { id, time, until, who: by, patientId, reason, ended } = item
      const state = ended === null ? `until ${until}` : `closed ${ended}`
      await emit({ json: item, text: oneLine(`${id.padEnd(6)} ${time}  ${by}  ${patientId}  ${state}  ${reason}`) })
    }
    if (items.length === 0) await emit({ note: 'No glass was broken.' })
    return 0
  },
}

function patientOf(given: Given): PatientGiven {
  const id = operand(given, 1, 'the patient')
  const issuer = text(given, 'issuer')
  return issuer === undefined ? { patientId: id } : { issuer, id }
}

function lineOf({ id, kind, patientId, by, time, until, ended, reason }: Restriction): string {
  const state = ended === null ? (until === null ? 'in force' : `until ${until}`) : `ended ${ended.time}`
  return oneLine(`${id.padEnd(8)} ${kind.padEnd(16)} ${patientId}  ${state}  by ${by}, ${time}: ${reason}`)
}
