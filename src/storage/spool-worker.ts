/** The spool thread: hashes and writes large arrivals. Started by spool-sink.ts. */
import { parentPort } from 'node:worker_threads'
import { ArchiveError } from '#errors.ts'
import { nodeDisk, writeFailure } from './disk.ts'
import { SpoolFileWriter, type SpoolOrder, type SpoolReport } from './spool-sink.ts'

const port = parentPort
if (port === null) throw new TypeError('spool-worker.ts runs as a worker')

const writers = new Map<number, SpoolFileWriter>()

const tell = (report: SpoolReport, transfer: ArrayBuffer[] = []) => port.postMessage(report, transfer)

function failed(id: number, error: unknown): void {
  const { code, message } = error instanceof ArchiveError ? error : writeFailure(error, 'a spooled arrival')
  tell({ id, is: 'failed', code, detail: message })
}

port.on('message', (order: SpoolOrder) => {
  const { id } = order
  const writer = writers.get(id)
  try {
    if (order.is === 'begin') writers.set(id, new SpoolFileWriter(nodeDisk, order.spool))
    if (order.is === 'block') {
      try {
        writer?.write(new Uint8Array(order.buffer, 0, order.length))
      } finally {
        tell({ id, is: 'block', buffer: order.buffer }, [order.buffer])
      }
    }
    if (order.is === 'abort') {
      writers.delete(id)
      writer?.abort()
      tell({ id, is: 'aborted' })
    }
    if (order.is === 'finish' && writer !== undefined) {
      writer.finish().then(
        (sha256) => {
          writers.delete(id)
          tell({ id, is: 'done', sha256 })
        },
        (error: unknown) => failed(id, error),
      )
    }
  } catch (error) {
    failed(id, error)
  }
})
