/** Opens the DICOM door of an archive: every service of it, in one place. */

import { type DimseServer, startDimse } from '#access/dimse/dimse-server.ts'
import { echoService } from '#access/dimse/echo.ts'
import type { ErrorLog } from '#access/http-server-problem.ts'
import { storeService } from '#arrival/c-store.ts'
import type { DimseService } from '#model/dimse-service.ts'
import { originatorOf } from '#security/originators.ts'
import { type Archive, reserveBytes } from './app.ts'

/**
 * Opens the DICOM door.
 * @returns null when it is off
 * @throws ArchiveError 'configuration.invalid' for a port that is taken or a certificate that cannot be used
 */
export function serveDimse(archive: Archive, log: ErrorLog): Promise<DimseServer | null> {
  const { config, peers, settings, auditor } = archive
  return startDimse({
    config,
    peers,
    auditor,
    services: dimseServices(archive, log),
    strangers: () => settings.get('dimse.strangers'),
    report: (error, what) => log.error({ err: error }, what),
  })
}

/** Every DIMSE service we are SCP of. Storage is last: it takes classes nobody knows. */
export function dimseServices(archive: Archive, log: ErrorLog): readonly DimseService[] {
  const { config, intake, spoolDirectory, dataDirectory } = archive
  const site = sitePolicy(archive)
  return [
    echoService,
    storeService({
      intake,
      spoolDirectory,
      spool: { bytesMax: config.limits.objectSize, reserveBytes: reserveBytes(config, dataDirectory) },
      policy: () => site().policy,
      originatorOf: ({ peer, certificate, aeTitle, address }) =>
        originatorOf(site().originators, { named: peer?.originator ?? null, certificate, aeTitle, address })?.name ??
        null,
      report: (error) => log.error({ err: error }, 'an instance could not be taken in'),
    }),
  ]
}

/** What the site says of what it does not know; read again only when a setting, an originator or a peer changed. */
function sitePolicy({ settings }: Archive) {
  const read = () => ({
    version: settings.version(),
    originators: settings.originators(),
    policy: {
      unknownSopClasses: settings.get('screening.unknownSopClasses'),
      unknownTransferSyntaxes: settings.get('screening.unknownTransferSyntaxes'),
    },
  })
  let now = read()
  return () => {
    if (settings.version() !== now.version) now = read()
    return now
  }
}
