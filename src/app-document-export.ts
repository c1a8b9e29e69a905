/** What documents leave with, put together over an opened archive. */
import { EVERYTHING, type Visibility } from '#model/visibility.ts'
import type { DocumentExportTools } from '#operations/export-documents.ts'
import { createIssuers } from '#security/issuers.ts'
import type { Archive } from './app.ts'

const PAGE = 500

export function documentLeaving(archive: Archive, visibility: Visibility, signal?: AbortSignal): DocumentExportTools {
  const { documents, onTheWay, ledger, settings } = archive
  return {
    ...{ documents, visibility, leaving: onTheWay.documents },
    issuers: createIssuers(settings.get('identity.issuers')),
    maker: {
      institution: settings.get('site.name'),
      contact: `Questions go to whoever runs the archive of ${settings.get('site.name')}.`,
      software: 'Diptych',
      language: settings.get('documents.defaults').language ?? 'en',
    },
    patient: (patientId) => ledger.patientById(patientId)?.survivor,
    ...(signal === undefined ? {} : { signal }),
  }
}

/** Everybody there is, then nobody: documents that wait for an owner. */
export async function* everybody({ reader }: Pick<Archive, 'reader'>): AsyncGenerator<string | null> {
  let cursor: string | undefined
  do {
    const page = await reader.patients({ limit: PAGE, ...(cursor === undefined ? {} : { cursor }) }, EVERYTHING)
    for (const { id } of page.items) yield id
    cursor = page.next ?? undefined
  } while (cursor !== undefined)
  yield null
}
