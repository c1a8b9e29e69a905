import type { StoredInstance } from '#model/archive-object.ts'
import type { Peer } from '#model/peer.ts'
import { transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import type { Association } from '#standards/dimse/association.ts'
import { type ContextIndex, contextFor, storeContexts, storeWindow, type Way } from '../retrieve-run.ts'
import { type Connector, numbered, UNCOMPRESSED } from './connector.ts'

/** Presentation contexts of one association. PS3.8 section 9.3.2.2: odd numbers of one byte. */
const CONTEXTS_MAX = 128

interface Proposed {
  readonly abstractSyntax: string
  readonly transferSyntaxes: readonly string[]
}

interface Group {
  readonly proposed: readonly Proposed[]
  open: Promise<{ readonly association: Association; readonly contexts: ContextIndex }> | null
}

/**
 * Contexts for what is stored: each transfer syntax by itself, because an acceptor takes one of each context, and the
 * uncompressed ones together when something is stored in one.
 */
export function storeProposals(classes: ReadonlyMap<string, ReadonlySet<string>>): Proposed[][] {
  const groups: Proposed[][] = []
  let group: Proposed[] = []
  for (const [abstractSyntax, stored] of classes) {
    const proposed: Proposed[] = [...stored].map((uid) => ({ abstractSyntax, transferSyntaxes: [uid] }))
    const native = [...stored].some((uid) => transferSyntax(uid)?.encapsulated === false)
    if (native) proposed.push({ abstractSyntax, transferSyntaxes: UNCOMPRESSED })
    const some = proposed.slice(0, CONTEXTS_MAX)
    if (group.length + some.length > CONTEXTS_MAX) {
      groups.push(group)
      group = []
    }
    group.push(...some)
  }
  if (group.length > 0) groups.push(group)
  return groups
}

/** A peer we store to: one association, or several when the classes do not fit into one. */
export class StoreTarget {
  readonly #connector: Connector
  readonly #peer: Peer
  readonly #groups: Group[]
  readonly #byClass = new Map<string, Group>()
  /** Store operations to have outstanding. Known when the first association is open. */
  window = 1

  constructor(connector: Connector, peer: Peer, classes: ReadonlyMap<string, ReadonlySet<string>>) {
    this.#connector = connector
    this.#peer = peer
    this.#groups = storeProposals(classes).map((proposed) => ({ proposed, open: null }))
    for (const group of this.#groups) {
      for (const { abstractSyntax } of group.proposed) this.#byClass.set(abstractSyntax, group)
    }
  }

  /**
   * Opens the first association.
   * @throws what connecting throws
   */
  async begin(): Promise<void> {
    const [first] = this.#groups
    if (first === undefined) return
    const { association } = await this.#open(first)
    this.window = storeWindow(association)
  }

  /** @returns undefined when the peer does not take the instance. @throws what connecting threw, every time */
  async way(instance: StoredInstance): Promise<Way | undefined> {
    const group = this.#byClass.get(instance.sopClassUID)
    if (group === undefined) return undefined
    const { association, contexts } = await this.#open(group)
    const context = contextFor(contexts, instance)
    return context === undefined ? undefined : { association, context }
  }

  /** Releases every association that is open. */
  async end(): Promise<void> {
    for (const { open } of this.#groups) {
      if (open === null) continue
      const opened = await open.catch(() => undefined) // was told when it failed
      await opened?.association.release()
    }
  }

  #open(group: Group): NonNullable<Group['open']> {
    group.open ??= this.#connector
      .connect(this.#peer, { contexts: numbered(group.proposed) })
      .then((association) => ({ association, contexts: storeContexts(association) }))
    return group.open
  }
}
