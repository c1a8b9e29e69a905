import { ArchiveError } from '#errors.ts'
import type {
  CaptureCause,
  CaptureLinkReader,
  CaptureLinkRecord,
  CaptureLinkWriter,
  CaptureMedium,
} from '#model/capture-link.ts'
import { RetryLater } from './accounts.ts'
import { hashSecret, newId, newSecret, sameBytes } from './secrets.ts'
import { Throttle } from './throttle.ts'
import { parseDuration } from './tokens.ts'

export interface NewCaptureLink {
  readonly purpose: string
  readonly media: readonly CaptureMedium[]
  /** Time to live, e.g. `24h`, `7d`. */
  readonly expires: string
  readonly count: number
  readonly bytesMax: number
  readonly about: CaptureLinkRecord['about']
}

/** A link as lists show it: everything but its secret. */
export interface CaptureLinkView extends Omit<CaptureLinkRecord, 'secretHash'> {
  readonly state: 'valid' | 'used-up' | 'expired' | 'revoked'
}

const TEXT = /^([0-9a-z]{16})_([A-Za-z0-9_-]{43})$/
const LIFE_MS_MAX = 90 * 86_400_000
const LISTED_MAX = 1000

/** One-time links: the secret is shown once and kept as a digest; whoever holds it may send, and see nothing. */
export class CaptureLinks {
  readonly #reader: CaptureLinkReader
  readonly #writer: CaptureLinkWriter
  readonly #now: () => number
  /** By link and by address; who has the right secret is never kept out. */
  readonly #byLink: Throttle
  readonly #byAddress: Throttle

  constructor(reader: CaptureLinkReader, writer: CaptureLinkWriter, now: () => number = Date.now) {
    this.#reader = reader
    this.#writer = writer
    this.#now = now
    this.#byLink = new Throttle(10, now)
    this.#byAddress = new Throttle(20, now)
  }

  /**
   * @returns the text that stands in the address of the page: kept nowhere, shown once
   * @throws ArchiveError 'request.malformed' naming the value that is wrong
   */
  async create(
    given: NewCaptureLink,
    cause: CaptureCause,
  ): Promise<{ readonly text: string; readonly view: CaptureLinkView }> {
    const life = parseDuration(given.expires)
    if (life === undefined || life > LIFE_MS_MAX) {
      throw new ArchiveError('request.malformed', 'expires: a number with s, m, h, d or w, such as 7d; at most 90d')
    }
    const now = this.#now()
    const secret = newSecret()
    const { purpose, media, count: usesMax, bytesMax, about } = given
    const record: CaptureLinkRecord = {
      ...{ id: newId(), secretHash: hashSecret(secret), purpose, media, bytesMax, usesMax, uses: 0, about },
      ...{ createdAt: new Date(now).toISOString(), createdBy: cause.by, revokedAt: null, lastUsedAt: null },
      expiresAt: new Date(now + life).toISOString(),
    }
    await this.#writer.create(record, cause)
    return { text: `${record.id}_${secret}`, view: this.#view(record) }
  }

  list(): readonly CaptureLinkView[] {
    return this.#reader.captureLinks(LISTED_MAX).map((link) => this.#view(link))
  }

  link(id: string): CaptureLinkView | undefined {
    const link = this.#reader.captureLink(id)
    return link === undefined ? undefined : this.#view(link)
  }

  /** @throws ArchiveError 'request.not-found' */
  async revoke(id: string, cause: CaptureCause): Promise<CaptureLinkView> {
    const revoked = await this.#writer.revoke(id, cause)
    const link = this.link(id)
    if (!revoked || link === undefined) throw new ArchiveError('request.not-found', 'capture link')
    return link
  }

  /**
   * The link a text stands for, read from the store each time.
   * @returns undefined for anything but a link that may be used now: which of all reasons is not told
   * @throws RetryLater when somebody guesses
   */
  open(text: string, address: string): CaptureLinkView | undefined {
    const [, id = '', secret = ''] = TEXT.exec(text) ?? []
    const link = this.#reader.captureLink(id)
    // Compared whether or not there is such a link.
    const right = sameBytes(link?.secretHash ?? new Uint8Array(32), hashSecret(secret))
    if (link === undefined || !right) {
      const wait = Math.max(this.#byLink.waitSeconds(id), this.#byAddress.waitSeconds(address))
      if (wait > 0) throw new RetryLater('too many tries', wait)
      this.#byLink.failed(id)
      this.#byAddress.failed(address)
      return undefined
    }
    const view = this.#view(link)
    return view.state === 'valid' ? view : undefined
  }

  /** Takes one use. @returns false when none is left */
  take(id: string): Promise<boolean> {
    return this.#writer.take(id, new Date(this.#now()).toISOString())
  }

  giveBack(id: string): Promise<void> {
    return this.#writer.giveBack(id)
  }

  #view({ secretHash: _, ...link }: CaptureLinkRecord): CaptureLinkView {
    const over = Date.parse(link.expiresAt) <= this.#now()
    const used = link.uses >= link.usesMax
    return { ...link, state: link.revokedAt !== null ? 'revoked' : over ? 'expired' : used ? 'used-up' : 'valid' }
  }
}
