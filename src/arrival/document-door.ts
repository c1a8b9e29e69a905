/** The door of documents for people and scripts: one file as the body, or several in a form. */
import { rm } from 'node:fs/promises'
import type { FastifyReply } from 'fastify'
import { ArchiveError, failures } from '#errors.ts'
import type { ArrivedBytes, Provenance } from '#model/arrival.ts'
import type { DocumentDesk, Submission, SubmissionReceipt, SubmittedDocument } from '#model/document-desk.ts'
import type { Asked, Route } from '#model/route.ts'
import type { ValueSetTable } from '#placement/value-sets.ts'
import { parseMediaType } from '#standards/dicomweb/media-type.ts'
import { MultipartError, type PartHeaders, readMultipart } from '#standards/dicomweb/multipart.ts'
import { ArrivalBuffer, type SpoolOptions } from '#storage/spool.ts'
import {
  DESCRIBING_QUERY,
  type Described,
  describedBy,
  describedByQuery,
  joined,
  relationsOf,
  statementOf,
} from './document-form.ts'

export interface DocumentDoorServices {
  readonly desk: Pick<DocumentDesk, 'submit'>
  readonly spoolDirectory: string
  readonly spool: Pick<SpoolOptions, 'bytesMax' | 'reserveBytes'>
  values(): ValueSetTable
}

const FILES_MAX = 200
const DESCRIPTION_BYTES_MAX = 1024 * 1024

interface Taken {
  readonly label: string
  readonly described: Described
  readonly mediaType: string | undefined
  readonly bytes: ArrivedBytes
}

/** `POST /api/v1/documents`: all of a request is kept, or nothing. */
export function documentDoor(services: DocumentDoorServices): Route {
  return {
    method: 'POST',
    url: '/api/v1/documents',
    standard: 'Diptych API v1, Documents; RFC 7578',
    needs: 'document.store',
    body: 'stream',
    describes: {
      status: 201,
      answers:
        '`{items: [{label, id, verdict, stored, duplicate, missing, findings, …}], warnings}`; 200 when all of it was there already, 202 when something is held.',
      summary:
        'Stores documents: one as the body, described by the query, or several as multipart/form-data, each `metadata` part describing the files behind it. All or nothing.',
      query: DESCRIBING_QUERY,
    },
    async handle(asked, reply) {
      const type = parseMediaType(asked.headers['content-type'] ?? 'application/octet-stream')
      if (type === undefined) throw new ArchiveError('request.media-type', 'Content-Type is no media type')
      const common = describedByQuery(asked.query)
      const form = type.essence === 'multipart/form-data'
      const taken = form
        ? await takeForm(services, asked, type.params.get('boundary') ?? '', common)
        : [await takeBody(services, asked, type.essence, common)]
      return answer(reply, await services.desk.submit(submissionOf(asked, taken, services.values())))
    },
  }
}

function submissionOf(asked: Asked, taken: readonly Taken[], values: ValueSetTable): Submission {
  const documents = taken.map(({ label, described, mediaType, bytes }): SubmittedDocument => {
    const said = described.mediaType ?? mediaType
    return {
      label,
      arrival: {
        provenance: provenanceOf(asked, label, described),
        claims: said === undefined ? {} : { mediaType: said },
        bytes,
      },
      statement: statementOf(described, values),
    }
  })
  return {
    documents,
    lists: [],
    relations: taken.flatMap(({ label, described }) => relationsOf(label, described)),
    patientsKnown: false,
    complete: taken.some(({ described }) => described.complete === true),
  }
}

function provenanceOf({ subject, address }: Asked, path: string, { originator, medium }: Described): Provenance {
  return {
    ...{ door: 'web', peer: null, originator: originator ?? null, address, medium: medium ?? null, path },
    user: subject.kind === 'open' ? null : subject.name,
    time: new Date().toISOString(),
  }
}

const chunksOf = ({ raw }: Asked) => raw.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>

async function takeBody(
  services: DocumentDoorServices,
  asked: Asked,
  essence: string,
  described: Described,
): Promise<Taken> {
  const buffer = new ArrivalBuffer(services.spoolDirectory, services.spool)
  try {
    for await (const chunk of chunksOf(asked)) await buffer.write(chunk)
    const label = asked.query.get('name') || 'document'
    // curl says this of any body whose type nobody gave.
    const mediaType = essence === 'application/x-www-form-urlencoded' ? undefined : essence
    return { label, described, mediaType, bytes: await buffer.finish() }
  } catch (error) {
    await buffer.discard()
    throw error
  }
}

/** @throws ArchiveError 'request.malformed'; then nothing is left of what was spooled */
async function takeForm(
  services: DocumentDoorServices,
  asked: Asked,
  boundary: string,
  common: Described,
): Promise<Taken[]> {
  if (boundary === '') throw new ArchiveError('request.malformed', 'Content-Type names no boundary')
  const taken: Taken[] = []
  let described = common
  let part: { readonly name: string; readonly label: string; readonly mediaType: string | undefined } | null = null
  let buffer: ArrivalBuffer | null = null
  let text: Buffer[] = []
  try {
    for await (const event of readMultipart(chunksOf(asked), boundary)) {
      if (event.is === 'begin') {
        part = partOf(event.headers, event.part)
        text = []
        buffer = part.name === 'metadata' ? null : new ArrivalBuffer(services.spoolDirectory, services.spool)
        if (taken.length >= FILES_MAX) throw new ArchiveError('request.too-large', `more than ${FILES_MAX} files`)
      } else if (event.is === 'data') {
        if (buffer !== null) await buffer.write(event.bytes)
        else text.push(Buffer.from(event.bytes))
        if (buffer === null && text.reduce((sum, { length }) => sum + length, 0) > DESCRIPTION_BYTES_MAX) {
          throw new ArchiveError('request.too-large', 'a description is larger than 1 MiB')
        }
      } else if (buffer === null) {
        described = joined(describedBy(json(Buffer.concat(text))), common)
      } else if (part !== null) {
        const label = taken.some((one) => one.label === part?.label)
          ? `${part.label} (${taken.length + 1})`
          : part.label
        taken.push({ label, described, mediaType: part.mediaType, bytes: await buffer.finish() })
        buffer = null
        // What identifies one document does not identify the next.
        const { uniqueId: _, entryUuid: __, sha1: ___, ...rest } = described
        described = rest
      }
    }
    if (taken.length === 0) throw new ArchiveError('request.malformed', 'the form has no file')
    return taken
  } catch (error) {
    await buffer?.discard()
    for (const { bytes } of taken) {
      if (bytes.in === 'spool') await rm(bytes.path, { force: true })
    }
    if (error instanceof MultipartError) throw new ArchiveError('request.malformed', error.message)
    throw error
  }
}

function partOf(headers: PartHeaders, part: number) {
  const disposition = headers.get('content-disposition') ?? ''
  const parameter = (key: string) =>
    new RegExp(`;\\s*${key}="((?:[^"\\\\]|\\\\.)*)"`, 'i').exec(disposition)?.[1]?.replace(/\\(.)/g, '$1') ??
    new RegExp(`;\\s*${key}=([^;"\\s]+)`, 'i').exec(disposition)?.[1]
  const name = parameter('name') ?? ''
  const label = Buffer.from(parameter('filename') || `file-${part + 1}`, 'latin1')
    .toString('utf8')
    .slice(0, 500)
  return { name, label, mediaType: parseMediaType(headers.get('content-type') ?? '')?.essence }
}

function json(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch (error) {
    if (error instanceof SyntaxError) throw new ArchiveError('request.malformed', 'metadata is not JSON')
    throw error
  }
}

/** 201 with what was kept; 200 when all of it was here before; else why nothing was kept. */
export function answer(reply: FastifyReply, receipt: SubmissionReceipt): FastifyReply {
  if (receipt.is === 'kept') {
    const items = receipt.documents.map(({ label, document, duplicate, receipt: told }) => ({
      ...{ label, id: document.objectId, uniqueId: document.uniqueId, entryUuid: document.entryUuid },
      ...{ verdict: told.verdict, stored: true, duplicate, kind: document.kind, mediaType: document.mediaType },
      ...{ size: document.size, sha256: document.sha256, patientId: document.patientId, missing: document.missing },
      findings: told.findings,
    }))
    const fresh = items.some(({ duplicate }) => !duplicate)
    if (items.length === 1) reply.header('location', `/api/v1/documents/${items[0]?.id ?? ''}`)
    return reply.code(fresh ? 201 : 200).send({ items, warnings: receipt.warnings })
  }
  const [first] = receipt.faults
  const code = first?.code ?? 'document.invalid'
  return reply
    .code(failures[code].http)
    .header('content-type', 'application/problem+json')
    .send(
      Buffer.from(
        JSON.stringify({
          ...{
            type: `urn:diptych:error:${code}`,
            title: 'Nothing of this submission was kept',
            status: failures[code].http,
          },
          ...{ code, detail: first?.detail ?? '', faults: receipt.faults },
          items: receipt.receipts.map(({ label, receipt: told }) => ({
            ...{ label, verdict: told.verdict, stored: false, quarantineId: told.quarantineId, reason: told.reason },
            findings: told.findings,
          })),
        }),
      ),
    )
}
