import { errorCodes } from 'fastify'

/** A path that fits: what was kept under it, and what its parameters are, decoded, in the order of the pattern. */
export interface Found<T> {
  readonly kept: T
  readonly values: readonly string[]
}

interface Node<T> {
  readonly fixed: Map<string, Node<T>>
  parameter: Node<T> | undefined
  /** What follows `/`, whatever it is. */
  rest: { kept: T } | undefined
  kept: { kept: T } | undefined
}

/** Longest value of a parameter, in UTF-16 code units. */
const PARAMETER_MAX = 2048

const empty = <T>(): Node<T> => ({ fixed: new Map(), parameter: undefined, rest: undefined, kept: undefined })

/**
 * Finds the path of a request among the paths that are served: one tree for all methods. Text goes before a parameter, a
 * parameter before `*`; a slash at the end makes no difference. The framework's own router keeps a tree per method and
 * compiles each path in each of them, which took a third of the time until the first answer.
 */
export class PathTree<T> {
  readonly #root: Node<T> = empty()

  /**
   * @param pattern parts are text, `:name`, or `*` as the last one
   * @throws TypeError for a pattern of another form, and for a path that is there already
   */
  add(pattern: string, kept: T): void {
    if (!/^(?:\/(?:[^/:*]*|:[A-Za-z0-9_]+))*(?:\/\*)?$/.test(pattern))
      throw new TypeError(`${pattern} is no path pattern`)
    let node = this.#root
    const parts = trimmed(pattern).split('/').slice(1)
    for (const part of parts) {
      if (part === '*') {
        if (node.rest !== undefined) throw new TypeError(`${pattern} is served twice`)
        node.rest = { kept }
        return
      }
      if (part.startsWith(':')) {
        node.parameter ??= empty()
        node = node.parameter
      } else {
        const known = node.fixed.get(part) ?? empty()
        node.fixed.set(part, known)
        node = known
      }
    }
    if (node.kept !== undefined) throw new TypeError(`${pattern} is served twice`)
    node.kept = { kept }
  }

  /**
   * @param url the request target: a path, or an absolute address, and a query
   * @throws FST_ERR_MAX_PARAM_LENGTH (414) when only a parameter that is too long keeps it from fitting
   */
  find(url: string): Found<T> | undefined {
    const path = trimmed(pathOf(url))
    const parts = path.split('/').slice(1)
    const values: string[] = []
    let tooLong = false

    function walk(node: Node<T>, at: number): { kept: T } | undefined {
      const raw = parts[at]
      if (raw === undefined) return node.kept
      const part = decoded(raw)
      const fixed = node.fixed.get(part)
      const inFixed = fixed === undefined ? undefined : walk(fixed, at + 1)
      if (inFixed !== undefined) return inFixed
      if (node.parameter !== undefined) {
        if (part.length > PARAMETER_MAX) tooLong = true
        else {
          values.push(part)
          const inParameter = walk(node.parameter, at + 1)
          if (inParameter !== undefined) return inParameter
          values.pop()
        }
      }
      if (node.rest !== undefined) values.push(decoded(parts.slice(at).join('/')))
      return node.rest
    }

    const found = walk(this.#root, 0)
    if (found !== undefined) return { kept: found.kept, values }
    if (tooLong) throw new errorCodes.FST_ERR_MAX_PARAM_LENGTH(path)
    return undefined
  }
}

/** Names of the parameters of a pattern, in order; `*` for the rest. */
export const parameterNames = (pattern: string): readonly string[] =>
  [...pattern.matchAll(/(?<=\/):(\w+)|\*/g)].map(([whole, name]) => name ?? whole)

/** The path as it stands in the request target. RFC 9112 3.2. */
function pathOf(url: string): string {
  const scheme = url.startsWith('/') ? null : /^https?:\/\/[^/?#]*/i.exec(url)
  const path = scheme === null ? url : url.slice(scheme[0].length)
  const end = path.search(/[?#]/)
  const alone = end < 0 ? path : path.slice(0, end)
  return alone.startsWith('/') ? alone : `/${alone}`
}

const trimmed = (path: string): string => (path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path)

/** What is wrongly encoded was refused before. */
const decoded = (part: string): string => (part.includes('%') ? decodeURIComponent(part) : part)
