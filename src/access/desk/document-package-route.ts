import { ArchiveError } from '#errors.ts'
import type { StoredDocument } from '#model/document.ts'
import type { DocumentReader } from '#model/document-desk.ts'
import type { Route } from '#model/route.ts'
import type { Visibility } from '#model/visibility.ts'
import { type DocumentExportTools, type DocumentGroup, documentZip } from '#operations/export-documents.ts'
import { sendPieces } from '../dicomweb/send.ts'
import { DOCUMENT_FILTERS, documentQuery } from './document-query.ts'
import { documentVisibility } from './document-view.ts'

export interface PackageServices {
  readonly documents: DocumentReader
  patientIds(id: string, issuer?: string): Promise<readonly string[]>
  leaving(visibility: Visibility, signal: AbortSignal): DocumentExportTools
}

/** Documents of one package; whoever wants more runs `diptych export`. */
const DOCUMENTS_MAX = 10_000
const PAGE = 500

/** Documents as an IHE XDM package: what a person hands over, and any XDM importer takes. */
export function documentPackageRoute({ documents, patientIds, leaving }: PackageServices): Route {
  return {
    method: 'GET',
    url: '/api/v1/document-package',
    standard: 'IHE ITI TF-2 section 3.32, Distribute Document Set on Media (ZIP over the web)',
    needs: 'object.export',
    describes: {
      summary:
        'The documents a search finds, with their metadata, as one ZIP: IHE XDM, a submission set for each patient.',
      query: { ...DOCUMENT_FILTERS, id: 'Any identifier of a document; several separated by commas.' },
    },
    async handle(asked, reply) {
      const visibility: Visibility = documentVisibility(asked) ?? { sees: 'nothing' }
      const filters = new URLSearchParams(asked.query)
      const ids = (filters.get('id') ?? '').split(',').filter((id) => id !== '')
      filters.delete('id')
      filters.set('order', 'oldest')
      const query = await documentQuery({ query: filters }, PAGE, patientIds)
      const found: StoredDocument[] = []
      if (ids.length > 0) {
        for (const id of ids.slice(0, DOCUMENTS_MAX)) {
          const document = await documents.document(id, visibility)
          if (document === undefined) throw new ArchiveError('request.not-found', 'document')
          if (!found.some(({ objectId }) => objectId === document.objectId)) found.push(document)
        }
      } else {
        let cursor: string | undefined
        do {
          const more = cursor === undefined ? {} : { cursor }
          const page = await documents.documents({ ...query, ...more, limit: PAGE }, visibility)
          found.push(...page.items.map(({ document }) => document))
          cursor = page.next ?? undefined
          if (found.length > DOCUMENTS_MAX) {
            throw new ArchiveError('request.too-large', `more than ${DOCUMENTS_MAX} documents`, {
              hint: 'Narrow the search, or run `diptych export --documents`.',
            })
          }
        } while (cursor !== undefined)
      }
      if (found.length === 0) throw new ArchiveError('request.not-found', 'document')
      const groups = grouped(found)
      for (const { patientId, documents: mine } of groups) {
        const detail = `package of documents ${mine
          .slice(0, 50)
          .map(({ objectId }) => objectId)
          .join(', ')}`
        await asked.audit('export', { ...(patientId === null ? {} : { patientId }), count: mine.length, detail })
      }
      const day = new Date().toISOString().slice(0, 10)
      const { stream } = documentZip(groups, leaving(visibility, asked.signal))
      const headers = {
        'Content-Type': 'application/zip',
        'Content-Disposition': `attachment; filename="documents-${day}.zip"`,
        'Cache-Control': 'private, no-store',
      }
      return sendPieces(asked, reply, { status: 200, headers }, stream)
    },
  }
}

function grouped(found: readonly StoredDocument[]): DocumentGroup[] {
  const groups = new Map<string | null, StoredDocument[]>()
  for (const document of found) {
    const mine = groups.get(document.patientId) ?? []
    mine.push(document)
    groups.set(document.patientId, mine)
  }
  return [...groups].map(([patientId, documents]) => ({ patientId, documents }))
}
