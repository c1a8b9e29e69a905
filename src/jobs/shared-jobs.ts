import type { JobQueue, SharedJobs } from '#model/job-queue.ts'

/** Jobs looked through for one that is open. */
const OPEN_MAX = 1000

/** The queue as others may use it: served by the worker that owns it. */
export function createSharedJobs(queue: JobQueue, now: () => number = Date.now): SharedJobs {
  return {
    enqueue: async (job) => queue.enqueue(job, now()),
    async open(kind, subject) {
      for (let cursor: string | null = ''; cursor !== null; ) {
        const page = queue.list({ state: 'open', kind, limit: OPEN_MAX, ...(cursor === '' ? {} : { cursor }) })
        const found = page.items.find((job) => job.subject === subject && job.state !== 'parked')
        if (found !== undefined) return found
        cursor = page.next
      }
      return undefined
    },
    lease: async (kinds, worker, leaseMs) => queue.lease(kinds, worker, now(), leaseMs),
    extend: async (lease, leaseMs) => queue.extend(lease, now(), leaseMs),
    complete: async (lease) => queue.complete(lease, now()),
    fail: async (lease, error) => queue.fail(lease, error, now()),
  }
}
