/** Opens the DICOM door of an archive: every service of it, in one place. */

import type { CommitmentRunner } from '#access/dimse/commitment-runner.ts'
import { type DimseServer, startDimse } from '#access/dimse/dimse-server.ts'
import { echoService } from '#access/dimse/echo.ts'
import type { ErrorLog } from '#access/http-server-problem.ts'
import { storeService } from '#arrival/c-store.ts'
import type { DimseService } from '#model/dimse-service.ts'
import { originatorOf } from '#security/originators.ts'
import { withholdingFrom } from '#security/restrictions.ts'
import type { Archive } from './app.ts'
import { exchangeServices } from './app-exchange.ts'
import { reserveBytes } from './app-start.ts'

/**
 * Opens the DICOM door.
 * @returns null when it is off
 * @throws ArchiveError 'configuration.invalid' for a port that is taken or a certificate that cannot be used
 */
export async function serveDimse(archive: Archive, log: ErrorLog): Promise<DimseServer | null> {
  const { config, peers, settings, auditor } = archive
  const exchange = exchangeServices(archive, log)
  const door = await startDimse({
    config,
    peers,
    auditor,
    services: [echoService, ...exchange.services, storageOf(archive, reportTo(log))],
    strangers: () => settings.get('dimse.strangers'),
    withholdingFrom: (subject) => withholdingFrom(archive.restrictions, subject),
    report: (error, what) => log.error({ err: error }, what),
  })
  if (door === null) return null
  exchange.commitments.start()
  return withCommitments(door, exchange.commitments)
}

/** Commitments are checked and reported while the door is open. */
function withCommitments(door: DimseServer, commitments: CommitmentRunner): DimseServer {
  return {
    aeTitle: door.aeTitle,
    port: door.port,
    tlsPort: door.tlsPort,
    associations: () => door.associations(),
    async close(drainMs) {
      await door.close(drainMs)
      await commitments.stop()
    },
  }
}

const reportTo = (log: ErrorLog) => (error: unknown) => log.error({ err: error }, 'an instance could not be taken in')

/** Storage as SCP, on the door or on an association of our own (C-GET). It is last of a list: it takes classes nobody knows. */
export function storageOf(archive: Archive, report: (error: unknown) => void): DimseService {
  const { config, intake, spoolDirectory, dataDirectory } = archive
  const site = sitePolicy(archive)
  return storeService({
    intake,
    spoolDirectory,
    spool: { bytesMax: config.limits.objectSize, reserveBytes: reserveBytes(config, dataDirectory) },
    policy: () => site().policy,
    originatorOf: ({ peer, certificate, aeTitle, address }) =>
      originatorOf(site().originators, { named: peer?.originator ?? null, certificate, aeTitle, address })?.name ??
      null,
    report,
  })
}

/** A change is seen after at most so long: the question alone costs a read for every object. */
const SITE_POLICY_MS = 10

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
  let asked = 0
  return () => {
    const time = performance.now()
    if (time - asked < SITE_POLICY_MS) return now
    asked = time
    if (settings.version() !== now.version) now = read()
    return now
  }
}
