import type { LedgerEntry, LedgerPatient, PatientKey } from '#model/identity.ts'
import { EVERYTHING } from '#model/visibility.ts'
import { type By, PatientDesk } from '#operations/patient-desk.ts'
import { type ArchiveCommand, action, type Emit, needed, operand, text, wholeNumber } from '../command.ts'
import { entryText, shownKey } from '../ledger-text.ts'

const ACTIONS = ['list', 'show', 'merge', 'unmerge', 'link', 'unlink', 'fix-name', 'history', 'undo'] as const

export const patientCommand: ArchiveCommand = {
  runs: 'in-owner',
  needsData: true,
  name: 'patient',
  summary: 'See who patients are; merge, link and rename them, and take it back',
  operands:
    'list | show ID | merge ID INTO | unmerge ID | link ID OTHER | unlink ID OTHER | fix-name ID NAME | history [ID] | undo ENTRY',
  flags: {
    reason: { type: 'string', value: 'TEXT', about: 'why; needed for every decision' },
    issuer: {
      type: 'string',
      value: 'I',
      about: 'who gave the number ID; may be left out while only one issuer gave it',
    },
    'other-issuer': { type: 'string', value: 'I', about: 'who gave the number INTO or OTHER; the same when left out' },
    name: { type: 'string', value: 'NAME', about: 'list: beginning of a name component' },
    identifier: { type: 'string', value: 'ID', about: 'list: a patient number, also an old one' },
    limit: { type: 'string', value: 'N', about: 'at most so many (default 100)' },
  },
  operandCount: [1, 3],
  more: 'Nothing that is stored changes: a decision changes what is shown and sent, and undo takes it back.',
  async run({ reader, ledger, identity }, given, emit) {
    const what = action(given, ACTIONS)
    const desk = new PatientDesk({ reader, ledger, desk: identity })
    const limit = wholeNumber(given, 'limit', 100, 1)
    if (what === 'list') {
      const [name, identifier] = [text(given, 'name'), text(given, 'identifier')]
      const asked = { ...(name === undefined ? {} : { name }), ...(identifier === undefined ? {} : { identifier }) }
      const { items } = await reader.patients({ ...asked, limit: Math.min(limit, 1000) }, EVERYTHING)
      if (items.length > 0) await emit({ heading: 'ID  NUMBER (ISSUER)  NAME  STUDIES' })
      for (const row of items) {
        const { id, issuer, identifier: number, studies } = row
        await emit({
          json: row,
          text: `${id}  ${number} (${issuer})  ${row.name ?? ''}  ${studies} ${studies === 1 ? 'study' : 'studies'}`,
        })
      }
      if (items.length === 0) await emit({ note: 'There is nobody.' })
      return 0
    }
    if (what === 'undo') {
      await told(emit, await desk.undo(operand(given, 1, 'the number of the entry'), byOf()))
      return 0
    }
    if (what === 'history') {
      const key = given.positionals[1] === undefined ? undefined : keyOf(first())
      const { items } = desk.entries({ limit, ...(key === undefined ? {} : { patient: key }) })
      if (items.length > 0) await emit({ heading: 'ENTRY    TIME  DECISION, BY WHOM, RULE: REASON' })
      for (const entry of items) await emit({ json: entry, text: entryText(entry) })
      if (items.length === 0) await emit({ note: 'Nothing was decided.' })
      return 0
    }
    const patient = first()
    if (what === 'show') await emit({ json: patient, text: patientText(patient) })
    else if (what === 'merge') await told(emit, await desk.merge(keyOf(patient), keyOf(second()), byOf()))
    else if (what === 'unmerge') await told(emit, await desk.unmerge(keyOf(patient), byOf()))
    else if (what === 'link') await told(emit, await desk.link(keyOf(patient), keyOf(second()), byOf()))
    else if (what === 'unlink') await told(emit, await desk.unlink(keyOf(patient), keyOf(second()), byOf()))
    else await told(emit, await desk.fixName(keyOf(patient), operand(given, 2, 'the name, as FAMILY^GIVEN'), byOf()))
    return 0

    function first(): LedgerPatient {
      return desk.byIdentifier(operand(given, 1, 'the patient number'), text(given, 'issuer'))
    }
    function second(): LedgerPatient {
      const issuer = text(given, 'other-issuer') ?? text(given, 'issuer')
      return desk.byIdentifier(operand(given, 2, 'the other patient number'), issuer)
    }
    function byOf(): By {
      return { name: 'local', address: null, reason: needed(given, 'reason') }
    }
  },
}

function keyOf({ issuer, id }: PatientKey): PatientKey {
  return { issuer, id }
}

async function told(emit: Emit, entries: readonly LedgerEntry[]): Promise<void> {
  for (const entry of entries) await emit({ json: entry, text: entryText(entry) })
  if (entries.length === 0) await emit({ note: 'It was so already.' })
}

const AUTHORITY = { adt: 'the hospital (ADT)', person: 'a person here', object: '' } as const

function patientText(patient: LedgerPatient): string {
  const { demographics: about, mergedInto } = patient
  const rows = [
    ['number', shownKey(patient)],
    ['name', about.name ?? ''],
    ['says so', AUTHORITY[patient.authority]],
    ['born', about.birthDate ?? ''],
    ['sex', about.sex ?? ''],
    ['merged into', mergedInto === null || mergedInto.id === patient.id ? '' : shownKey(mergedInto)],
    ['lives on as', shownKey(patient.survivor)],
    ['also known as', patient.aliases.map(shownKey).join(', ')],
    ['linked with', patient.linked.map(shownKey).join(', ')],
    ['visits', patient.visits.map(({ admissionId, status }) => `${admissionId} ${status}`).join(', ')],
  ]
  return rows
    .filter(([, value]) => value !== '')
    .map(([name = '', value = '']) => `${name.padEnd(16)}${value}`)
    .join('\n')
}
