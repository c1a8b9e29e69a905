/** The reading of words put together inside the writer worker. */
import type { Database } from '#index/sqlite/database.ts'
import { createWordsStore } from '#index/sqlite/words-store.ts'
import type { NewInstance } from '#model/archive-object.ts'
import { createReadWords, type ReadWords, type ReadWordsTools } from '#operations/read-words.ts'

export interface Words extends Pick<ReadWords, 'handlers' | 'begin'> {
  /** Documents came or changed. Part of the caller's transaction. */
  documents(objectIds: readonly string[]): void
  /** For the commit lane: structured reports hold words too. */
  stored(instances: readonly NewInstance[]): void
}

export function createWords(around: Omit<ReadWordsTools, 'store'> & { readonly db: Database; wake(): void }): Words {
  const store = createWordsStore(around.db)
  const { ask, askBehind, begin, handlers } = createReadWords({ ...around, store })
  const documents = (objectIds: readonly string[]) => {
    if (ask(objectIds) > 0) around.wake()
  }
  return {
    ...{ handlers, begin, documents },
    stored(instances) {
      if (!instances.some(({ sopClassUID }) => store.isReport(sopClassUID))) return
      askBehind()
      around.wake()
    },
  }
}
