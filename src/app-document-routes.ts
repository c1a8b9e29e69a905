/** The document panel over HTTP: its door and its desk, put together on the main thread. */

import { captureLinkRoutes } from '#access/desk/capture-link-routes.ts'
import { documentLinkRoutes } from '#access/desk/document-link-routes.ts'
import { documentPackageRoute } from '#access/desk/document-package-route.ts'
import { documentRoutes } from '#access/desk/document-routes.ts'
import { captureDoor } from '#arrival/capture-door.ts'
import { captureLinkDoor } from '#arrival/capture-link-door.ts'
import { documentDoor } from '#arrival/document-door.ts'
import type { DocumentImport } from '#arrival/media-import-documents.ts'
import type { Route } from '#model/route.ts'
import type { ValueSetTable } from '#placement/value-sets.ts'
import { createValueSets } from '#placement/value-sets.ts'
import type { ValueSets } from '#security/document-settings.ts'
import { createIssuers } from '#security/issuers.ts'
import type { Archive } from './app.ts'
import { documentLeaving } from './app-document-export.ts'
import { reserveBytes } from './app-start.ts'

/** Value sets of the site, made anew when a setting changed. */
export function siteValues(archive: Pick<Archive, 'settings'>): () => { sets: ValueSets; table: ValueSetTable } {
  let known: { version: number; sets: ValueSets; table: ValueSetTable } | null = null
  return () => {
    const version = archive.settings.version()
    if (known?.version === version) return known
    const sets = archive.settings.get('documents.values')
    known = { version, sets, table: createValueSets(sets, archive.settings.get('documents.departments')) }
    return known
  }
}

export function serveDocuments(archive: Archive): readonly Route[] {
  const { config, reader, documents, documentDesk, ledger, onTheWay, faceDesk } = archive
  const values = siteValues(archive)
  const door = {
    desk: documentDesk,
    spoolDirectory: archive.spoolDirectory,
    spool: { bytesMax: config.limits.objectSize, reserveBytes: reserveBytes(config, archive.dataDirectory) },
    values: () => values().table,
  }
  return [
    ...documentRoutes({
      ...{
        documents,
        reader,
        onTheWay,
        faceDesk,
        ledger,
        values,
        desk: documentDesk,
        pageMax: config.limits.queryResults,
      },
      patientIds: (id, issuer) => reader.patientIds(id, issuer),
    }),
    ...documentLinkRoutes({ documents, desk: documentDesk }),
    documentPackageRoute({
      documents,
      patientIds: (id, issuer) => reader.patientIds(id, issuer),
      leaving: (visibility, signal) => documentLeaving(archive, visibility, signal),
    }),
    documentDoor(door),
    captureDoor(door),
    ...captureLinkRoutes(archive.captureLinks),
    ...captureLinkDoor({
      ...door,
      links: archive.captureLinks,
      siteName: () => archive.settings.get('site.name'),
    }),
  ]
}

/** Documents of media and uploads. */
export function documentImport({
  documentDesk,
  reader,
  settings,
}: Pick<Archive, 'documentDesk' | 'reader' | 'settings'>): DocumentImport {
  return {
    desk: documentDesk,
    issuers: () => createIssuers(settings.get('identity.issuers')),
    ownersOf: (studyInstanceUIDs) => reader.ownersOf(studyInstanceUIDs),
  }
}
