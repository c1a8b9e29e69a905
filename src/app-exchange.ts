/** What the archive needs to exchange with other archives: calls out, objects on their way, services that answer. */

import { commitmentService } from '#access/dimse/commitment.ts'
import { CommitmentAsks } from '#access/dimse/commitment-asks.ts'
import { CommitmentRunner } from '#access/dimse/commitment-runner.ts'
import { findService } from '#access/dimse/find.ts'
import { getService } from '#access/dimse/get.ts'
import { moveService } from '#access/dimse/move.ts'
import { performedStepService } from '#access/dimse/mpps.ts'
import { InstanceData } from '#access/dimse/retrieve-data.ts'
import { createConnector } from '#access/dimse/scu/connect.ts'
import type { Connector } from '#access/dimse/scu/connector.ts'
import { worklistService } from '#access/dimse/worklist.ts'
import type { ErrorLog } from '#access/http-server-problem.ts'
import type { Config } from '#config.ts'
import type { StoredInstance } from '#model/archive-object.ts'
import type { DimseService } from '#model/dimse-service.ts'
import { performedStepJob } from '#operations/performed-step.ts'
import type { SegmentReader } from '#storage/segment-files.ts'
import type { Archive } from './app.ts'

/** Calls to peers, and what they share with the door. */
export interface Exchange {
  readonly connector: Connector
  readonly data: InstanceData
  /** Commitments we wait for. */
  readonly asks: CommitmentAsks
}

export function createExchange(config: Config, segments: SegmentReader): Exchange {
  return {
    connector: createConnector(config),
    data: new InstanceData(segments, (damage) => {
      const line = { level: 50, time: Date.now(), ...damage, msg: 'stored bytes are not what was kept' }
      process.stderr.write(`${JSON.stringify(line)}\n`)
    }),
    asks: new CommitmentAsks(),
  }
}

/** Query, retrieve and commitment as SCP; `commitments` runs beside them while the door is open. */
export function exchangeServices(
  archive: Archive,
  log: ErrorLog,
): { readonly services: readonly DimseService[]; readonly commitments: CommitmentRunner } {
  const { config, reader, peers, exchange, sharedJobs, ledger, identity, settings } = archive
  const { connector, data, asks } = exchange
  const { aeTitle } = config.dimse
  const { dimseIdentifierBytes: identifierBytesMax, dimseQueryResults: resultsMax } = config.limits
  const peer = (title: string) => peers.get(title)
  const failed = ({ sopInstanceUID }: StoredInstance, why: string) =>
    log.error({ sopInstanceUID, why }, 'an instance could not be sent')
  const commitments = new CommitmentRunner({
    reader,
    data,
    connector,
    peer,
    aeTitle,
    jobs: sharedJobs,
    report: (error, subject) => log.error({ err: error, subject }, 'a commitment report was not delivered'),
  })
  const services = [
    findService({ reader, aeTitle, identifierBytesMax, resultsMax }),
    getService({ reader, data, identifierBytesMax, failed }),
    moveService({ reader, data, connector, peer, identifierBytesMax, failed }),
    commitmentService({ runner: commitments, asks, identifierBytesMax }),
    worklistService({
      orders: ledger,
      identifierBytesMax,
      resultsMax,
      policy: () => ({ shows: settings.get('worklist.shows'), ownStation: settings.get('worklist.ownStation') }),
    }),
    performedStepService({
      ledger,
      desk: identity,
      identifierBytesMax,
      compareLater: async (uid) => void (await sharedJobs.enqueue(performedStepJob(uid))),
    }),
  ]
  return { services, commitments }
}
