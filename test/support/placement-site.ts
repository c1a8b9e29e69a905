/** An archive whose placement is watched: what is stored, how it settled, and one picture of it without its ids. */
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import type { DocumentOwner, StoredDocument } from '#model/document.ts'
import type { PlacementDecision } from '#model/placement.ts'
import { EVERYTHING } from '#model/visibility.ts'
import type { Archive } from '../../src/app.ts'
import { type Elements, namedUid, part10 } from '../fixtures/dicom-builder.ts'
import { STUDY } from '../fixtures/objects.ts'
import { arrivalOf, kept, provenance } from './document-fixture.ts'

/** A study of its own, named by a word. */
export const studyOf = (name: string) => ({ ...STUDY, name, accessionNumber: name, studyId: name.slice(0, 16) })
export const uidOf = (name: string) => namedUid(`${name} study`)
/** Whose the fixtures are. */
export const FELIX: DocumentOwner = {
  by: 'identifier',
  issuer: STUDY.issuer,
  id: STUDY.patientId,
  issuerAssumed: false,
}

export async function storeInstance(archive: Archive, elements: Elements, originator: string | null = null) {
  const receipt = await archive.intake.receive({
    provenance: provenance({ door: 'stow', user: 'test', path: null, originator }),
    claims: {},
    bytes: { in: 'memory', bytes: new Uint8Array(part10({ elements })) },
  })
  assert.ok(receipt.stored, receipt.reason)
  return receipt.objectId ?? ''
}

export async function storeDocument(
  archive: Archive,
  bytes: Uint8Array,
  more: {
    mediaType?: string
    title?: string
    studyInstanceUID?: string
    owner?: DocumentOwner
    department?: string
  } = {},
): Promise<string> {
  const { mediaType = 'application/pdf', title, studyInstanceUID, owner = FELIX, department } = more
  const metadata = { ...(title === undefined ? {} : { title }), ...(department === undefined ? {} : { department }) }
  const receipt = await archive.documentDesk.submit({
    documents: [
      {
        label: 'd',
        arrival: arrivalOf(bytes, mediaType),
        statement: { owner, metadata, ...(studyInstanceUID === undefined ? {} : { studyInstanceUID }) },
      },
    ],
    ...{ lists: [], relations: [], patientsKnown: false, complete: false },
  })
  return kept(receipt).documents[0]?.document.objectId ?? ''
}

/** Until every job is done, at most 60 s. */
export async function settled(archive: Archive): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if (archive.jobs.openJobs() === 0) {
      const { items } = archive.jobs.list({ state: 'parked', limit: 20 })
      assert.deepEqual(
        items.map(({ kind, subject, error }) => `${kind} ${subject}: ${error}`),
        [],
      )
      return
    }
    await pause(100)
  }
  const { items } = archive.jobs.list({ state: 'open', limit: 20 })
  assert.fail(`open still: ${items.map(({ kind, subject, error }) => `${kind} ${subject} ${error}`).join('; ')}`)
}

export async function documentsOf(archive: Archive, studyInstanceUID: string): Promise<StoredDocument[]> {
  const { items } = await archive.documents.documents(
    { studyInstanceUIDs: [studyInstanceUID], order: 'oldest', limit: 100 },
    EVERYTHING,
  )
  return items.map(({ document }) => document)
}

export const newest = (archive: Archive, objectId: string): PlacementDecision | undefined =>
  archive.placementDecisions.ofObject(objectId)[0]

/** `<effect> <state>` of the newest decision. */
export function stands(archive: Archive, objectId: string): string {
  const decision = newest(archive, objectId)
  return decision === undefined ? 'nothing' : `${decision.effect.do} ${decision.state}`
}

/**
 * Everything that shows where the things of a study are, with names in the place of ids, so that two studies that hold
 * the same can be compared.
 * @param names what each object id is called
 */
export async function picture(
  archive: Archive,
  studyInstanceUID: string,
  names: ReadonlyMap<string, string>,
): Promise<readonly string[]> {
  const told: string[] = []
  for (const [objectId, name] of names) {
    const inForce = archive.placementDecisions.ofObject(objectId).find(({ state }) => !/outdated/.test(state))
    if (inForce === undefined || inForce.effect.do === 'stay') continue
    const { effect, state, placement } = inForce
    const named = Object.entries(effect).map(([key, value]) => {
      const text = (one: unknown) => names.get(String(one)) ?? (one === studyInstanceUID ? 'study' : String(one))
      return `${key} ${Array.isArray(value) ? value.map(text).sort().join('+') : text(value)}`
    })
    told.push(`${name}: ${state} ${placement.rule} ${placement.panel} ${placement.form}: ${named.join(', ')}`)
  }
  for await (const instance of archive.reader.instances({ studyInstanceUID }, EVERYTHING)) {
    told.push(`image panel: ${names.get(instance.objectId) ?? 'made'} ${instance.sopClassUID}`)
  }
  for (const document of await documentsOf(archive, studyInstanceUID)) {
    const relations = document.relations.map(({ kind, to, from }) => {
      const other = to === document.objectId ? from : to
      return `${kind} ${names.get(other) ?? 'made'}`
    })
    const name = names.get(document.objectId) ?? 'made'
    told.push(`document panel: ${name} ${document.kind} ${document.status} ${relations.sort().join(', ')}`)
  }
  return told.sort()
}
