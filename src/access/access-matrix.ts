import { ROLES, type Role } from '#model/permission.ts'
import type { Route } from '#model/route.ts'
import { PATIENT_PERMISSIONS, ROLE_PERMISSIONS } from '#security/roles.ts'

/** One line of the access matrix: a route, and who may call it. Generated from the routes, never written by hand. */
export interface AccessRow {
  readonly method: Route['method']
  readonly url: string
  readonly needs: Route['needs']
  readonly roles: readonly Role[]
  /** True when a subject limited to patients may call it: then it sees only these patients. */
  readonly forRestricted: boolean
}

export function accessMatrix(routes: readonly Pick<Route, 'method' | 'url' | 'needs'>[]): readonly AccessRow[] {
  return routes
    .map(({ method, url, needs }) => ({
      method,
      url,
      needs,
      roles: ROLES.filter(
        (role) => needs === 'public' || needs === 'signed-in' || ROLE_PERMISSIONS[role].includes(needs),
      ),
      forRestricted: needs === 'public' || needs === 'signed-in' || PATIENT_PERMISSIONS.includes(needs),
    }))
    .toSorted((a, b) => (a.url < b.url ? -1 : a.url > b.url ? 1 : a.method < b.method ? -1 : 1))
}

/** Routes of one path, in the order they were declared; parameter names do not make paths differ. */
export function routesByPath(
  routes: readonly Route[],
): readonly { readonly url: string; readonly routes: readonly Route[] }[] {
  const paths = new Map<string, { url: string; routes: Route[] }>()
  for (const route of routes) {
    const key = route.url.replace(/:[A-Za-z0-9_]+/g, ':')
    const path = paths.get(key)
    if (path === undefined) paths.set(key, { url: route.url, routes: [route] })
    else if (path.routes.some(({ method }) => method === route.method)) {
      throw new TypeError(`${route.method} ${route.url} is declared twice`)
    } else path.routes.push(route)
  }
  return [...paths.values()]
}

/** Methods of one path, as its `Allow` header says them. */
export function allowedMethods(routes: readonly Route[]): readonly string[] {
  const declared = routes.map(({ method }) => method)
  const head = declared.includes('GET') ? ['HEAD'] : []
  return [...new Set([...declared, ...head, 'OPTIONS'])]
}
