/** The inspecting thread: reads large XML and PDF documents while others are judged. Started by document-inspector.ts. */
import { parentPort } from 'node:worker_threads'
import { inspectBytes } from './document-inspection.ts'
import type { InspectionOrder, InspectionReport } from './document-inspector.ts'

const port = parentPort
if (port === null) throw new TypeError('document-inspector-worker.ts runs as a worker')

port.on('message', (order: InspectionOrder) => {
  let report: InspectionReport
  try {
    report = { verdict: inspectBytes(order) }
  } catch (error) {
    report = { failed: error instanceof Error ? error.message : String(error) }
  }
  port.postMessage(report)
})
