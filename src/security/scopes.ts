import { PERMISSIONS, type Permission } from '#model/permission.ts'
import type { ScopeNeed } from '#model/route.ts'

/** Interactions of a SMART scope: create, read, update, delete, search. */
type Interaction = 'c' | 'r' | 'u' | 'd' | 's'

/** A scope as it limits a token: SMART App Launch v1 or v2, or the name of one of our permissions. */
export type Scope =
  | { readonly is: 'permission'; readonly permission: Permission }
  | {
      readonly is: 'smart'
      readonly context: 'patient' | 'user' | 'system'
      /** A FHIR resource type, or `*`. */
      readonly resource: string
      readonly interactions: ReadonlySet<Interaction>
    }

/** v1 `.read`/`.write`/`.*`; v2 any of `cruds`, in that order, at least one. A search part (`?...`) is not taken. */
const SMART = /^(patient|user|system)\/(\*|[A-Z][A-Za-z]{1,63})\.(read|write|\*|(?=[cruds])c?r?u?d?s?)$/

/**
 * @returns undefined for a scope we do not know: it grants nothing. A search part narrows a scope in ways that are
 * not enforced here, so such a scope is not known either, instead of granting more than was meant.
 */
export function parseScope(text: string): Scope | undefined {
  const permission = PERMISSIONS.find((name) => name === text)
  if (permission !== undefined) return { is: 'permission', permission }
  const match = SMART.exec(text)
  const [, context, resource, what] = match ?? []
  if (resource === undefined || what === undefined) return undefined
  if (context !== 'patient' && context !== 'user' && context !== 'system') return undefined
  const letters = what === 'read' ? 'rs' : what === 'write' ? 'cud' : what === '*' ? 'cruds' : what
  return { is: 'smart', context, resource, interactions: new Set([...letters] as Interaction[]) }
}

/** What a permission means in terms of FHIR resources; those absent have no resource and need a `*.*` scope. */
const NEEDS: { readonly [permission in Permission]?: ScopeNeed } = {
  'object.read': { resource: 'ImagingStudy', interactions: 'rs' },
  'object.export': { resource: 'ImagingStudy', interactions: 'rs' },
  'object.store': { resource: 'ImagingStudy', interactions: 'c' },
  'object.delete': { resource: 'ImagingStudy', interactions: 'd' },
  'document.read': { resource: 'DocumentReference', interactions: 'rs' },
  'document.store': { resource: 'DocumentReference', interactions: 'c' },
  'document.write': { resource: 'DocumentReference', interactions: 'u' },
  'audit.read': { resource: 'AuditEvent', interactions: 'rs' },
}

/** How scopes limit one permission. `patient`: granted only within a patient context. */
export type Granted = 'no' | 'patient' | 'yes'

/**
 * Whether the scopes of a token allow a permission; no scopes at all limit nothing. Scopes narrow what the role
 * allows and never widen it. Interactions may come from several scopes of the same context.
 *
 * @param asked what exactly is asked for, where that is narrower than the permission: `object.read` for a Patient is not
 *   `object.read` for an ImagingStudy
 */
export function grantedBy(scopes: readonly string[], permission: Permission, asked?: ScopeNeed): Granted {
  if (scopes.length === 0) return 'yes'
  const parsed = scopes.map(parseScope).filter((scope) => scope !== undefined)
  if (parsed.some((scope) => scope.is === 'permission' && scope.permission === permission)) return 'yes'
  const need = asked ?? NEEDS[permission] ?? { resource: '*', interactions: 'cruds' }
  const holds = (contexts: readonly string[]) => {
    const have = new Set<string>()
    for (const scope of parsed) {
      if (scope.is !== 'smart' || !contexts.includes(scope.context)) continue
      if (scope.resource !== '*' && scope.resource !== need.resource) continue
      for (const interaction of scope.interactions) have.add(interaction)
    }
    return [...need.interactions].every((interaction) => have.has(interaction))
  }
  if (holds(['user', 'system'])) return 'yes'
  return holds(['patient', 'user', 'system']) ? 'patient' : 'no'
}

/** True when a scope works only with a patient: `patient/...`. */
export function needsPatient(scopes: readonly string[]): boolean {
  return scopes.some((text) => text.startsWith('patient/'))
}
