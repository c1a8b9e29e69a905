/** Keeps the DICOM face of a document as an object of its study: listed, found and sent like any other. */
import { hash } from 'node:crypto'
import { ArchiveError } from '#errors.ts'
import type { JobHandler } from '#jobs/job-runner.ts'
import type { Location } from '#model/archive-object.ts'
import type { Arrival, Receipt } from '#model/arrival.ts'
import type { StoredDocument } from '#model/document.ts'
import type { DecisionCause, DocumentDesk } from '#model/document-desk.ts'
import type { JobQueue } from '#model/job-queue.ts'
import { type LeavingStore, LOCATION_KINDS } from '#model/leaving.ts'
import type { ByteSource } from '#standards/byte-source.ts'
import { joinPieces } from '#standards/dicom/pieces.ts'
import type { ModelDetails } from '#standards/dicom/wrap/encapsulated-document.ts'
import { FACE_KINDS, type FaceSurroundings, faceOrder, makeFaceOf } from './document-face.ts'
import { contentOf } from './face-work.ts'

export const KEEP_FACE = 'keep-face'

/** Larger originals are not copied through memory: their face is made when it is asked for. */
const COPY_BYTES_MAX = 256 * 1024 * 1024

/** The object a face is kept as. */
export interface KeptFace {
  readonly objectId: string
  readonly sopInstanceUid: string
  readonly seriesInstanceUid: string
  readonly studyInstanceUid: string
  readonly sopClassUid: string
  /** It was kept before. */
  readonly duplicate: boolean
}

/** Runs in the writer worker. */
export interface FaceDesk {
  /**
   * Makes the face persistent; once, however often it is asked for.
   * @throws ArchiveError 'document.unknown', 'document.no-face', 'document.incomplete', 'document.withheld',
   *   'request.too-large', and what the walk says of the object
   */
  keep(objectId: string, cause: DecisionCause): Promise<KeptFace>
}

export interface KeepFaceTools {
  readonly store: LeavingStore
  readonly jobs: Pick<JobQueue, 'enqueue'>
  readonly documents: Pick<DocumentDesk, 'decide'>
  document(objectId: string): StoredDocument | undefined
  open(at: Location): ByteSource & { close(): void }
  policy(): {
    readonly location: 'keep' | 'remove'
    readonly faces: 'ask' | 'keep'
    readonly modelUnit: ModelDetails['unit']
  }
  surroundings(document: StoredDocument): Omit<FaceSurroundings, 'modelUnit'>
  receive(arrival: Arrival): Promise<Receipt>
  look(objectId: string): Promise<void>
  audit(cause: DecisionCause, detail: string): void
}

export interface FaceKeeper {
  readonly desk: FaceDesk
  readonly handlers: { readonly [KEEP_FACE]: JobHandler }
  /** Documents came or changed: where the site keeps all faces. Part of the caller's transaction. @returns how many */
  ask(objectIds: readonly string[]): number
}

export function createFaceKeeper(tools: KeepFaceTools): FaceKeeper {
  const { store } = tools

  async function keep(objectId: string, cause: DecisionCause): Promise<KeptFace> {
    const document = tools.document(objectId)
    if (document === undefined) throw new ArchiveError('document.unknown', `no document ${objectId}`)
    if (document.size > COPY_BYTES_MAX) throw new ArchiveError('request.too-large', 'too large for a second copy')
    if (document.content.in === 'object') {
      throw new ArchiveError('document.no-face', 'this document stands in a DICOM object already', {
        hint: `Retrieve that: ${document.content.objectId}.`,
      })
    }
    const { location, modelUnit } = tools.policy()
    const removes = location === 'remove' && LOCATION_KINDS.has(document.kind)
    if (removes && store.form(objectId) === undefined) await tools.look(objectId)
    const form = removes ? store.form(objectId) : undefined
    const changed = form?.changed ?? null
    const sha256 = changed?.sha256 ?? document.sha256
    const { sibling, person } = tools.surroundings(document)
    // An object that joins a study is held to the patient its images came under; overlays follow by themselves.
    const around = { sibling, person: sibling === undefined ? person : undefined, modelUnit }
    const order = faceOrder(document, around, sha256, form?.doubt != null)
    const whole = tools.open(document.location)
    let bytes: Uint8Array
    let made: Omit<KeptFace, 'objectId' | 'duplicate'>
    try {
      const source = contentOf(whole, { content: document.content, pieces: changed?.pieces ?? null })
      if (changed === null) checked(document, source)
      const face = await makeFaceOf(source, order)
      bytes = joinPieces(face.pieces)
      const { sopInstanceUid, seriesInstanceUid, sopClassUid } = face
      made = { sopInstanceUid, seriesInstanceUid, sopClassUid, studyInstanceUid: order.identity.study.uid }
    } finally {
      whole.close()
    }
    const receipt = await tools.receive({
      provenance: {
        ...{ door: 'placement', peer: `as-it-came ${objectId}`, originator: null, user: cause.by },
        ...{ address: cause.address ?? null, medium: null, path: null, time: new Date().toISOString() },
      },
      claims: {},
      bytes: { in: 'memory', bytes },
    })
    if (!receipt.stored || receipt.objectId === null) {
      throw new ArchiveError(receipt.failure ?? 'screening.held', `the DICOM face was not stored: ${receipt.reason}`)
    }
    const relation = { kind: 'face', from: receipt.objectId, to: objectId } as const
    const known = document.relatedBy.some(({ kind, from }) => kind === 'face' && from === relation.from)
    if (!known) await tools.documents.decide([{ is: 'relate', relation }], cause)
    tools.audit(cause, `document ${objectId}: face kept as ${made.sopInstanceUid}`)
    return { ...made, objectId: receipt.objectId, duplicate: receipt.duplicate }
  }

  return {
    desk: { keep },
    ask(objectIds) {
      if (tools.policy().faces === 'ask') return 0
      let asked = 0
      for (const subject of objectIds) {
        const document = tools.document(subject)
        if (document === undefined || !FACE_KINDS.has(document.kind) || document.content.in === 'object') continue
        if (document.patientId === null || document.status !== 'current') continue
        if (document.relatedBy.some(({ kind }) => kind === 'face')) continue
        tools.jobs.enqueue({ kind: KEEP_FACE, subject, attemptsMax: 3, runAfter: Date.now() + SETTLE_MS }, Date.now())
        asked++
      }
      return asked
    },
    handlers: {
      [KEEP_FACE]: async ({ subject }) => {
        try {
          await keep(subject, { by: 'rule:documents.faces', reason: 'the site keeps the DICOM faces of documents' })
        } catch (error) {
          // What has no face stays a document: that is an answer, not a failure of the job.
          if (!(error instanceof ArchiveError) || !ANSWERS.has(error.code)) throw error
        }
        return undefined
      },
    },
  }
}

const ANSWERS: ReadonlySet<string> = new Set([
  ...['document.unknown', 'document.no-face', 'document.withheld', 'document.invalid', 'request.too-large'],
])
/** Placement looks at a document first, in milliseconds: it may put it into a study by itself. */
const SETTLE_MS = 3000

function checked({ objectId, sha256 }: StoredDocument, source: ByteSource): void {
  const bytes = new Uint8Array(source.size)
  for (let at = 0; at < source.size; at += 4 * 1024 * 1024) {
    bytes.set(source.read(at, Math.min(at + 4 * 1024 * 1024, source.size)), at)
  }
  if (hash('sha256', bytes, 'hex') === sha256) return
  throw new ArchiveError('storage.damaged', `document ${objectId} is not what was kept`)
}
