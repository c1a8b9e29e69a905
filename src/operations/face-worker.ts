/** The thread that makes and takes apart faces. Started by face-thread.ts. */
import { parentPort } from 'node:worker_threads'
import { ArchiveError } from '#errors.ts'
import { doFaceWork, type FaceAnswer, type FaceAsk } from './face-work.ts'

const port = parentPort
if (port === null) throw new TypeError('face-worker.ts runs as a worker')

port.on('message', async (ask: FaceAsk) => {
  let answer: FaceAnswer
  try {
    answer = { result: await doFaceWork(ask) }
  } catch (error) {
    const known = error instanceof ArchiveError
    const message = error instanceof Error ? error.message : String(error)
    answer = { failed: { code: known ? error.code : null, message, hint: known ? (error.hint ?? null) : null } }
  }
  port.postMessage(answer)
})
