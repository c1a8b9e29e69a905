/** One step of a path of attributes. */
export interface PickNode {
  readonly path: string
  wanted: boolean
  readonly within: Map<number, PickNode>
}

/** Prepared paths of attributes. */
export type PickList = ReadonlyMap<number, PickNode>

/** Prepares paths (`00100010`, `00400275.00400009`) once, so that a walk pays nothing for them. */
export function pickList(paths: Iterable<string>): PickList {
  const list = new Map<number, PickNode>()
  for (const path of paths) {
    let within = list
    let node: PickNode | undefined
    let above = ''
    for (const tag of path.split('.')) {
      if (!/^[\dA-F]{8}$/.test(tag)) throw new RangeError(`${path} is no path of tags`)
      above = above === '' ? tag : `${above}.${tag}`
      const number = Number.parseInt(tag, 16)
      node = within.get(number) ?? { path: above, wanted: false, within: new Map() }
      within.set(number, node)
      within = node.within
    }
    if (node !== undefined) node.wanted = true
  }
  return list
}
