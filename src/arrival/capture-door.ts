/** `POST /api/v1/captures`: photographs and films at the point of care, by an application or a person with an account. */
import { ArchiveError } from '#errors.ts'
import type { Provenance } from '#model/arrival.ts'
import { CAPTURE_MEDIA } from '#model/capture-link.ts'
import type { DocumentDesk, Submission, SubmittedDocument } from '#model/document-desk.ts'
import type { Asked, Route } from '#model/route.ts'
import type { ValueSetTable } from '#placement/value-sets.ts'
import { parseMediaType } from '#standards/dicomweb/media-type.ts'
import type { SpoolOptions } from '#storage/spool.ts'
import { type CaptureFile, type CaptureLimits, takeCaptureBody, takeCaptureForm } from './capture-files.ts'
import {
  CAPTURE_QUERY,
  type Captured,
  captured,
  capturedBy,
  capturedByQuery,
  describedCapture,
} from './capture-form.ts'
import { answer } from './document-door.ts'
import { statementOf } from './document-form.ts'

export interface CaptureServices {
  readonly desk: Pick<DocumentDesk, 'submit'>
  readonly spoolDirectory: string
  readonly spool: Pick<SpoolOptions, 'bytesMax' | 'reserveBytes'>
  values(): ValueSetTable
}

const FILES_MAX = 100
const METADATA: ReadonlySet<string> = new Set(['metadata'])

/** All files of a request are about the same; all are kept, or none. */
export function captureDoor(services: CaptureServices): Route {
  const limits: CaptureLimits = { ...services, filesMax: FILES_MAX, media: CAPTURE_MEDIA }
  return {
    method: 'POST',
    url: '/api/v1/captures',
    standard: 'Diptych API v1, Captures; IHE RAD Encounter-Based Imaging Workflow',
    needs: 'document.store',
    body: 'stream',
    describes: {
      summary:
        'Stores photographs and films taken at the point of care: one as the body, described by the query, or several as multipart/form-data with a `metadata` part in JSON. All or nothing.',
      query: CAPTURE_QUERY,
      status: 201,
      answers: '`items`, as of `POST /api/v1/documents`; 200 when all of it was here before.',
    },
    async handle(asked, reply) {
      const type = parseMediaType(asked.headers['content-type'] ?? 'application/octet-stream')
      if (type === undefined) throw new ArchiveError('request.media-type', 'Content-Type is no media type')
      const common = capturedByQuery(asked.query)
      if (type.essence !== 'multipart/form-data') {
        const file = await takeCaptureBody(asked, limits, asked.query.get('name') || 'capture')
        return answer(reply, await services.desk.submit(submissionOf(services, asked, common, [file])))
      }
      const { files, fields } = await takeCaptureForm(asked, limits, METADATA)
      if (files.length === 0) throw new ArchiveError('request.malformed', 'the form has no file')
      const said = { ...common, ...capturedBy(json(fields.get('metadata') ?? '{}')) }
      return answer(reply, await services.desk.submit(submissionOf(services, asked, captured.parse(said), files)))
    },
  }
}

function submissionOf(
  { values }: Pick<CaptureServices, 'values'>,
  asked: Asked,
  capture: Captured,
  files: readonly CaptureFile[],
): Submission {
  const { subject, address } = asked
  const labels = new Set<string>()
  return submissionFor(
    files.map((file) => {
      const label = labels.has(file.label) ? `${file.label} (${labels.size + 1})` : file.label
      labels.add(label)
      const provenance: Provenance = {
        ...{ door: 'web', peer: 'capture', originator: capture.originator ?? null, address, medium: null, path: label },
        user: subject.kind === 'open' ? null : subject.name,
        time: new Date().toISOString(),
      }
      return captureDocument({ ...file, label }, capture, provenance, values())
    }),
  )
}

/** One file with what is said of it. @throws ArchiveError 'document.invalid', 'request.malformed' */
export function captureDocument(
  { label, bytes, medium }: Pick<CaptureFile, 'label' | 'bytes' | 'medium'>,
  capture: Captured,
  provenance: Provenance,
  values: ValueSetTable,
): SubmittedDocument {
  return {
    label,
    // Phones name types loosely: what it is, its bytes have told.
    arrival: { provenance, claims: {}, bytes },
    statement: statementOf(describedCapture(capture, medium, provenance.time), values),
  }
}

export function submissionFor(documents: readonly SubmittedDocument[]): Submission {
  return { documents, lists: [], relations: [], patientsKnown: false, complete: false }
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) throw new ArchiveError('request.malformed', 'metadata is not JSON')
    throw error
  }
}
