/** Largest page that a command asks for at once. */
const PAGE_MAX = 1000

/** One page of a list of ours. */
interface Page<Item> {
  readonly items: readonly Item[]
  readonly next: string | null
}

/**
 * Items of a list from its beginning, page by page.
 * @param limit at most so many
 */
export async function* paged<Item>(
  limit: number,
  list: (page: { readonly limit: number; readonly cursor?: string }) => Promise<Page<Item>> | Page<Item>,
): AsyncGenerator<Item, void, void> {
  let left = limit
  let cursor: string | null = null
  do {
    const page: Page<Item> = await list({ limit: Math.min(left, PAGE_MAX), ...(cursor === null ? {} : { cursor }) })
    yield* page.items
    left -= page.items.length
    cursor = page.items.length === 0 ? null : page.next
  } while (cursor !== null && left > 0)
}
