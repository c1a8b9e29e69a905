/** How much may be on its way at once, so that one group commit serves many files and memory stays bounded. */
export interface FlightLimits {
  readonly countMax: number
  readonly bytesMax: number
  /** Finished results that wait for a slow reader. */
  readonly waitingMax: number
}

export const FLIGHT_LIMITS: FlightLimits = { countMax: 64, bytesMax: 32 * 1024 * 1024, waitingMax: 256 }

/** A piece of work with the memory it takes. */
export interface Job<R> {
  readonly costBytes: number
  /** A result, or more work that was found inside (the members of a container). */
  run(): Promise<Outcome<R>>
}

export type Outcome<R> = { readonly result: R } | { readonly more: AsyncIterable<Job<R>> }

/**
 * Runs jobs with bounded concurrency and yields results as they are ready. Work found inside a job is done
 * before new work is fetched, one container at a time. After an abort nothing new starts; what runs is finished.
 *
 * @throws what a job or the source throws, after what was running has come to its end
 */
export async function* flight<R>(
  source: AsyncIterable<Job<R>>,
  signal: AbortSignal,
  limits: FlightLimits = FLIGHT_LIMITS,
): AsyncGenerator<R> {
  const ready: R[] = []
  const inside: AsyncIterable<Job<R>>[] = []
  let running = 0
  let bytes = 0
  let fed = false
  let closed = false
  let failure: { readonly error: unknown } | undefined
  let bell = Promise.withResolvers<void>()
  const ring = (): void => {
    bell.resolve()
    bell = Promise.withResolvers<void>()
  }
  const stopped = (): boolean => closed || signal.aborted || failure !== undefined
  signal.addEventListener('abort', ring)

  const start = (job: Job<R>): void => {
    running += 1
    bytes += job.costBytes
    job
      .run()
      .then(
        (outcome) => {
          if ('result' in outcome) ready.push(outcome.result)
          else inside.push(outcome.more)
        },
        (error: unknown) => {
          failure ??= { error }
        },
      )
      .finally(() => {
        running -= 1
        bytes -= job.costBytes
        ring()
      })
  }
  const feedFrom = async (jobs: AsyncIterable<Job<R>>): Promise<void> => {
    for await (const job of jobs) {
      while (
        !stopped() &&
        ((running > 0 && (running >= limits.countMax || bytes + job.costBytes > limits.bytesMax)) ||
          ready.length >= limits.waitingMax)
      ) {
        await bell.promise
      }
      if (stopped()) return
      start(job)
      if (jobs === source) await feedInside()
    }
  }
  const feedInside = async (): Promise<void> => {
    for (let next = inside.shift(); next !== undefined && !stopped(); next = inside.shift()) await feedFrom(next)
  }
  const feed = async (): Promise<void> => {
    await feedFrom(source)
    while (!stopped() && (running > 0 || inside.length > 0)) {
      await feedInside()
      if (running > 0) await bell.promise
    }
  }
  const feeding = feed()
    .catch((error: unknown) => {
      failure ??= { error }
    })
    .finally(() => {
      fed = true
      ring()
    })
  try {
    for (;;) {
      const result = ready.shift()
      if (result !== undefined) {
        yield result
        if (ready.length === limits.waitingMax - 1) ring()
        continue
      }
      if (fed && running === 0) break
      await bell.promise
    }
    if (failure !== undefined) throw failure.error
  } finally {
    closed = true
    ring()
    await feeding
    while (running > 0) await bell.promise
    signal.removeEventListener('abort', ring)
  }
}
