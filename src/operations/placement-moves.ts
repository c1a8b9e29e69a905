/** What placement decisions do. Each move finds out first whether it is done: it may run again after a crash. */
import { createHash, hash } from 'node:crypto'
import { ArchiveError } from '#errors.ts'
import type { ArchiveReader } from '#model/archive-index.ts'
import type { Location, StoredInstance } from '#model/archive-object.ts'
import type { ArrivedBytes, Provenance, Receipt } from '#model/arrival.ts'
import type { StoredDocument } from '#model/document.ts'
import type { DecisionCause, DocumentDesk, DocumentStatement, Submission } from '#model/document-desk.ts'
import type { DocumentStore } from '#model/document-store.ts'
import type { PlacementDecision, PlacementEffect } from '#model/placement.ts'
import { EVERYTHING } from '#model/visibility.ts'
import type { ByteSource } from '#standards/byte-source.ts'
import type { JsonDataSet } from '#standards/dicom/json-path.ts'
import { openPart10 } from '#standards/dicom/open.ts'
import { joinPieces } from '#standards/dicom/pieces.ts'
import { wrapDocument } from '#standards/dicom/wrap/encapsulated-document.ts'
import type { FaceIdentity, FacePatient } from '#standards/dicom/wrap/identity.ts'
import { joinedSource, type NativeFace, unwrap } from '#standards/dicom/wrap/unwrap.ts'
import { documentKindOf } from '#standards/media/document-kind.ts'
import type { PlacementMoves } from './placement-desk.ts'
import { aloneAs, conceptOf, faceIdentityOf, statementOf, studyUidOf } from './placement-identity.ts'
import { aecgObjection } from './placement-subject.ts'

export interface MoveTools {
  readonly reader: Pick<ArchiveReader, 'find' | 'instances'>
  readonly documents: DocumentDesk
  readonly store: DocumentStore
  open(at: Location): ByteSource & { close(): void }
  /** The data set of one instance as it arrived; undefined when it has none that can be read. */
  dataSetOf(instance: StoredInstance): JsonDataSet | undefined
  /** A sibling that shows images: whose patient and study an encapsulated document takes over. */
  imageOf(studyInstanceUID: string): JsonDataSet | undefined
  receive(arrival: { provenance: Provenance; claims: object; bytes: ArrivedBytes }): Promise<Receipt>
  /**
   * Hides an instance from the image panel.
   * @param forGood its bytes go with the grace time of deletions; otherwise they stay for `bringBack`
   */
  hide(instance: StoredInstance, by: string, reason: string, forGood: boolean): Promise<void>
  /** Brings what was hidden back, as a new version of the same object. */
  bringBack(objectId: string, by: string): Promise<void>
  /** Who owns a document now, for a face that joins no image. */
  person(patientId: string): FacePatient | undefined
  /** Objects that are the face of a document, made by this decision: also before their relation is written. */
  facesBy(decisionId: string, rule: string): readonly string[]
  /** Documents whose bytes stand in an object, made as its face. */
  hostedIn(objectId: string): readonly string[]
  /** True when the relation is kept. */
  related(kind: 'rendition' | 'replaces', from: string, to: string): boolean
  /** Moves that turn one form into another and are a file each. */
  readonly converters: PlacementConverters
}

/** Conversions that need decoding. */
export interface PlacementConverters {
  /** Pages of scanned paper as one PDF. */
  paper(pages: readonly (ByteSource & { close(): void })[]): Promise<Uint8Array>
  /** The DICOM waveform of an annotated ECG, a Part 10 file. */
  waveform(aecg: ByteSource, identity: FaceIdentity): Promise<Uint8Array>
}

/** Larger originals are not copied through memory: such a face is not made, and the problem is told. */
const COPY_BYTES_MAX = 256 * 1024 * 1024

export function createPlacementMoves(tools: MoveTools): PlacementMoves {
  const { documents, store } = tools

  async function instanceOf(objectId: string): Promise<StoredInstance> {
    const found = await tools.reader.find(objectId, EVERYTHING)
    if (found === undefined) throw new ArchiveError('request.not-found', `object ${objectId} is gone`)
    return found
  }

  function documentOf(objectId: string): StoredDocument {
    const found = store.document(objectId)
    if (found === undefined) throw new ArchiveError('document.unknown', `document ${objectId} is gone`)
    return found
  }

  const causeOf = ({ id, placement }: PlacementDecision): DecisionCause => ({
    by: `placement.${placement.rule}`,
    reason: `placement decision ${id}`,
  })

  /** The native original inside a DICOM object becomes a document: a range of the same bytes where it is one. */
  async function nativeFace(objectId: string, decision: PlacementDecision): Promise<string[]> {
    const instance = await instanceOf(objectId)
    const source = tools.open(instance.location)
    try {
      const part10 = openPart10(source)
      const native = unwrap(part10)
      if (native === undefined) throw new ArchiveError('document.type', 'no native original is inside this object')
      const [only] = native.ranges
      const direct = part10.base !== null && native.ranges.length === 1 && only !== undefined
      const statement = statementOf(instance, tools.dataSetOf(instance))
      if (!direct) return [await ownCopy(native, statement, instance, decision)]
      const joined = joinedSource(native.source, native.ranges)
      const bytes = wholeOf(joined)
      const told = documentKindOf(joined)
      const made = await documents.addFace(
        {
          objectId: instance.objectId,
          start: (part10.base ?? 0) + only.start,
          length: native.lengthBytes,
          kind: told?.word ?? 'other',
          mediaType: told?.mediaType ?? native.mediaType,
          sha1: hash('sha1', bytes, 'hex'),
          sha256: hash('sha256', bytes, 'hex'),
          statement,
          relation: 'face',
          rule: decision.placement.rule,
          ruleVersion: decision.placement.ruleVersion,
        },
        causeOf(decision),
      )
      return [made.objectId]
    } finally {
      source.close()
    }
  }

  /** What stands in pieces, or deflated, is kept once more as a document of its own. */
  async function ownCopy(
    native: NativeFace,
    statement: DocumentStatement,
    instance: StoredInstance,
    decision: PlacementDecision,
  ): Promise<string> {
    const bytes = wholeOf(joinedSource(native.source, native.ranges))
    const objectId = await submit(bytes, statement, native.mediaType, decision)
    await relate('face', objectId, instance.objectId, decision)
    return objectId
  }

  async function submit(
    bytes: Uint8Array,
    statement: DocumentStatement,
    mediaType: string,
    decision: PlacementDecision,
  ): Promise<string> {
    // The same decision carried out again finds what it made.
    const uniqueId = uniqueIdOf(decision)
    const submission: Submission = {
      documents: [
        {
          label: 'document',
          arrival: { provenance: provenanceOf(decision), claims: { mediaType }, bytes: { in: 'memory', bytes } },
          statement: { ...statement, uniqueId },
        },
      ],
      ...{ lists: [], relations: [], patientsKnown: false, complete: false },
    }
    const receipt = await documents.submit(submission)
    if (receipt.is === 'refused') {
      const [fault] = receipt.faults
      throw new ArchiveError(fault?.code ?? 'document.invalid', fault?.detail ?? 'refused')
    }
    const [kept] = receipt.documents
    if (kept === undefined) throw new ArchiveError('archive.failed', 'a submission without its document')
    return kept.document.objectId
  }

  async function relate(
    kind: 'face' | 'rendition' | 'replaces',
    from: string,
    to: string,
    decision: PlacementDecision,
  ): Promise<void> {
    await documents.decide([{ is: 'relate', relation: { kind, from, to } }], causeOf(decision))
  }

  /** A document gets its DICOM face in a study. Always the same bytes and UIDs, so a second run finds a duplicate. */
  async function encapsulate(
    { document: objectId, studyInstanceUID }: Extract<PlacementEffect, { do: 'encapsulate' }>,
    decision: PlacementDecision,
  ): Promise<string[]> {
    const document = documentOf(objectId)
    const sibling = tools.imageOf(studyInstanceUID)
    if (sibling === undefined) throw new ArchiveError('request.not-found', `study ${studyInstanceUID} has no image`)
    if (document.size > COPY_BYTES_MAX) throw new ArchiveError('request.too-large', 'too large to be encapsulated')
    const source = contentOf(document)
    try {
      const { concept, sourceInstances } = conceptOf(document, sibling)
      const face = wrapDocument(source, faceIdentityOf(document, sibling, studyInstanceUID, 'Documents'), {
        title: document.metadata.title ?? '',
        ...(concept === undefined ? {} : { concept }),
        sources: sourceInstances,
      })
      return [await receive(joinPieces(face.pieces), document, decision)]
    } finally {
      source.close()
    }
  }

  async function waveformFace(objectId: string, decision: PlacementDecision): Promise<string[]> {
    const document = documentOf(objectId)
    const study = document.studyInstanceUID ?? studyUidOf(document)
    const sibling = tools.imageOf(study)
    const owner = document.patientId === null ? undefined : tools.person(document.patientId)
    if (sibling === undefined && owner === undefined) {
      throw new ArchiveError('document.incomplete', 'nobody knows whose annotated ECG this is', {
        hint: 'Name its patient on the metadata worklist.',
      })
    }
    const identity = faceIdentityOf(document, sibling ?? aloneAs(owner), study, 'ECG waveform')
    const source = contentOf(document)
    try {
      return [await receive(await tools.converters.waveform(source, identity), document, decision)]
    } finally {
      source.close()
    }
  }

  /** Through the same walk as everything: screened, indexed, found. @returns object id of the face */
  async function receive(bytes: Uint8Array, document: StoredDocument, decision: PlacementDecision): Promise<string> {
    const receipt = await tools.receive({
      provenance: provenanceOf(decision),
      claims: {},
      bytes: { in: 'memory', bytes },
    })
    if (!receipt.stored || receipt.objectId === null) {
      throw new ArchiveError(receipt.failure ?? 'screening.held', `the DICOM face was not stored: ${receipt.reason}`)
    }
    await relate('face', receipt.objectId, document.objectId, decision)
    return receipt.objectId
  }

  async function paper(
    { instances, hide }: Extract<PlacementEffect, { do: 'paper' }>,
    decision: PlacementDecision,
  ): Promise<string[]> {
    const { by, reason } = causeOf(decision)
    // Once the document is kept pages may be hidden already: a second run goes on from there.
    const objectId = store.known(uniqueIdOf(decision))?.objectId ?? (await bound(instances, decision))
    for (const page of instances) await relate('rendition', page, objectId, decision)
    for (const page of hide ? instances : []) {
      const visible = await tools.reader.find(page, EVERYTHING)
      if (visible !== undefined) await tools.hide(visible, by, reason, false)
    }
    return [objectId]
  }

  /** @returns object id of the PDF made of the pages */
  async function bound(instances: readonly string[], decision: PlacementDecision): Promise<string> {
    const pages = await Promise.all(instances.map(instanceOf))
    const [first] = pages
    if (first === undefined) throw new ArchiveError('request.not-found', 'a paper without pages')
    const sources = pages.map(({ location }) => tools.open(location))
    try {
      const bytes = await tools.converters.paper(sources)
      return await submit(bytes, statementOf(first, tools.dataSetOf(first)), 'application/pdf', decision)
    } finally {
      for (const source of sources) source.close()
    }
  }

  function contentOf(document: StoredDocument): ByteSource & { close(): void } {
    const whole = tools.open(document.location)
    const { content } = document
    if (content.in === 'own') return whole
    const range = [{ start: content.start, end: content.start + content.length }]
    return { ...joinedSource(whole, range), close: () => whole.close() }
  }

  return {
    async carryOut(decision) {
      const { effect } = decision
      switch (effect.do) {
        case 'unwrap':
        case 'to-document':
          return nativeFace(effect.instance, decision)
        case 'encapsulate':
          return encapsulate(effect, decision)
        case 'waveform-face':
          return waveformFace(effect.document, decision)
        case 'rendition':
          await relate('rendition', effect.object, effect.of, decision)
          return [`rendition ${effect.object} ${effect.of}`]
        case 'version':
          await relate('replaces', effect.document, effect.of, decision)
          return [`replaces ${effect.document} ${effect.of}`]
        case 'paper':
          return paper(effect, decision)
        case 'pointer':
          // The other system is told by whoever accepts; here the pages are only listed under it.
          return effect.instances.map((id) => `pointer ${id} ${effect.system}`)
        case 'stay':
        case 'ask-for':
          return []
      }
    },

    objection(effect) {
      if (effect.do !== 'waveform-face') return null
      const document = store.document(effect.document)
      if (document === undefined) return null
      const owner = document.patientId === null ? undefined : tools.person(document.patientId)
      if (owner === undefined)
        return 'Nobody knows whose annotated ECG this is: it gets a face once its patient is known.'
      const source = contentOf(document)
      try {
        return aecgObjection(source, owner)
      } finally {
        source.close()
      }
    },

    leftovers(decision) {
      const { effect, id, placement } = decision
      const own = store.known(uniqueIdOf(decision))?.objectId
      const copies = own === undefined ? [] : [own]
      switch (effect.do) {
        case 'unwrap':
        case 'to-document':
          return [...copies, ...tools.hostedIn(effect.instance)]
        case 'encapsulate':
        case 'waveform-face':
          return tools.facesBy(id, placement.rule)
        case 'paper':
          return copies
        case 'rendition':
          return tools.related('rendition', effect.object, effect.of) ? [`rendition ${effect.object} ${effect.of}`] : []
        case 'version':
          return tools.related('replaces', effect.document, effect.of)
            ? [`replaces ${effect.document} ${effect.of}`]
            : []
        case 'pointer':
        case 'stay':
        case 'ask-for':
          return []
      }
    },

    async takeBack(decision) {
      const cause = { ...causeOf(decision), reason: `placement decision ${decision.id} was taken back` }
      for (const made of decision.made) {
        const [word, from, to] = made.split(' ')
        if ((word === 'rendition' || word === 'replaces') && from !== undefined && to !== undefined) {
          await documents.decide([{ is: 'unrelate', relation: { kind: word, from, to } }], cause)
          continue
        }
        if (word === 'pointer') continue
        if (store.known(made) !== undefined) {
          await documents.delete(made, cause)
          continue
        }
        const instance = await tools.reader.find(made, EVERYTHING)
        if (instance !== undefined) await tools.hide(instance, cause.by, cause.reason, true)
      }
      if (decision.effect.do === 'paper') {
        for (const from of decision.effect.instances) {
          if (decision.effect.hide) await tools.bringBack(from, cause.by)
          for (const to of decision.made) {
            await documents.decide([{ is: 'unrelate', relation: { kind: 'rendition', from, to } }], cause)
          }
        }
      }
    },
  }
}

/** Of a document that a decision makes: the same whenever it is made. */
function uniqueIdOf({ id }: PlacementDecision): string {
  const digest = createHash('sha256').update(`document of placement decision ${id}`).digest('hex').slice(0, 32)
  return `urn:oid:2.25.${BigInt(`0x${digest}`)}`
}

function provenanceOf({ id, placement }: PlacementDecision): Provenance {
  return {
    door: 'placement',
    peer: `${placement.rule} ${id}`,
    ...{ originator: null, user: null, address: null, medium: null, path: null },
    time: new Date().toISOString(),
  }
}

/** @throws ArchiveError 'request.too-large' */
function wholeOf(source: ByteSource): Uint8Array {
  if (source.size > COPY_BYTES_MAX) throw new ArchiveError('request.too-large', 'too large for a second face')
  const bytes = new Uint8Array(source.size)
  for (let at = 0; at < source.size; at += 4 * 1024 * 1024) {
    bytes.set(source.read(at, Math.min(at + 4 * 1024 * 1024, source.size)), at)
  }
  return bytes
}
