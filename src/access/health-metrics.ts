import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** Numbers for Prometheus. Labels are route patterns and codes, never identifiers. */
export interface HttpMetrics {
  readonly registry: Registry
  observe(method: string, route: string, status: number, elapsedMs: number): void
  /** Declares a number that is asked for when the metrics are read. */
  gauge(name: string, help: string, read: () => number | Promise<number>): void
  counter(name: string, help: string): { add(count?: number): void }
}

export function createMetrics(): HttpMetrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const duration = new Histogram({
    name: 'diptych_http_request_seconds',
    help: 'Time to answer HTTP requests, by method, route pattern and status.',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60],
    registers: [registry],
  })
  return {
    registry,
    observe: (method, route, status, elapsedMs) =>
      duration.observe({ method, route, status: String(status) }, elapsedMs / 1000),
    gauge(name, help, read) {
      new Gauge({
        name,
        help,
        registers: [registry],
        async collect() {
          this.set(await read())
        },
      })
    },
    counter(name, help) {
      const counter = new Counter({ name, help, registers: [registry] })
      return { add: (count = 1) => counter.inc(count) }
    },
  }
}
