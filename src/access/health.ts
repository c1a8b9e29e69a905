import type { Route } from '#model/route.ts'
import type { HttpMetrics } from './health-metrics.ts'

/** Something that keeps this node from full service. Says no host names and no paths: health is public. */
export interface HealthReason {
  /** A word for programs: `scanner-unreachable`, `storage-full`, `storage-read-only`, `starting`. */
  readonly code: string
  readonly detail: string
  /** True when the node should get no requests; false when it serves with a restriction. */
  readonly blocking: boolean
}

export interface HealthSource {
  openJobs(): Promise<number>
  reasons(): Promise<readonly HealthReason[]>
}

/** Time for all checks together: a health answer never hangs. */
const CHECK_MS = 2000

const SCHEMA = {
  type: 'object',
  properties: {
    status: { enum: ['ready', 'restricted', 'not-ready'] },
    openJobs: { type: ['integer', 'null'] },
    reasons: {
      type: 'array',
      items: {
        type: 'object',
        properties: { code: { type: 'string' }, detail: { type: 'string' }, blocking: { type: 'boolean' } },
      },
    },
  },
}

/** `/health/live`, `/health/ready`, `/metrics`. */
export function healthRoutes(source: HealthSource, metrics: HttpMetrics): readonly Route[] {
  return [
    {
      method: 'GET',
      url: '/health/live',
      standard: 'Diptych: the process answers',
      needs: 'public',
      describes: { summary: 'Says that the process is alive.' },
      handle: async (_asked, reply) => reply.header('cache-control', 'no-store').send({ status: 'live' }),
    },
    {
      method: 'GET',
      url: '/health/ready',
      standard: 'Diptych: the node serves',
      needs: 'public',
      describes: {
        summary: 'Says whether the node serves, what restricts it, and how many jobs are open.',
        response: SCHEMA,
      },
      async handle(_asked, reply) {
        const { openJobs, reasons } = await within(CHECK_MS, ask(source))
        const blocked = reasons.some(({ blocking }) => blocking)
        const status = blocked ? 'not-ready' : reasons.length > 0 ? 'restricted' : 'ready'
        if (blocked) reply.header('retry-after', '5')
        return reply
          .code(blocked ? 503 : 200)
          .header('cache-control', 'no-store')
          .send({ status, openJobs, reasons })
      },
    },
    {
      method: 'GET',
      url: '/metrics',
      standard: 'Prometheus text format',
      needs: 'system.read',
      describes: { summary: 'Numbers for Prometheus.' },
      handle: async (_asked, reply) =>
        reply.header('content-type', metrics.registry.contentType).send(await metrics.registry.metrics()),
    },
  ]
}

interface Answer {
  readonly openJobs: number | null
  readonly reasons: readonly HealthReason[]
}

async function ask(source: HealthSource): Promise<Answer> {
  const [jobs, reasons] = await Promise.allSettled([source.openJobs(), source.reasons()])
  const failed = jobs.status === 'rejected' || reasons.status === 'rejected'
  return {
    openJobs: jobs.status === 'fulfilled' ? jobs.value : null,
    reasons: [
      ...(reasons.status === 'fulfilled' ? reasons.value : []),
      ...(failed ? [{ code: 'check-failed', detail: 'a check failed; the log has the cause', blocking: true }] : []),
    ],
  }
}

async function within(ms: number, answer: Promise<Answer>): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Answer>((resolve) => {
    const reasons = [{ code: 'check-late', detail: `checks took more than ${ms} ms`, blocking: true }]
    timer = setTimeout(() => resolve({ openJobs: null, reasons }), ms)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}
