import { normalizeOperationOutcome, validateResource } from '@medplum/core'
import type { OperationOutcomeIssue, Resource } from '@medplum/fhirtypes'
import { codesOf, elementsOf, holdsResource, isPrimitive, isResourceType } from './definitions.ts'
import { isJson, type Json } from './xml-write.ts'

/** What is wrong with a resource, and where: `Bundle.entry[2].resource.status`. */
export interface Problem {
  readonly severity: 'error' | 'warning'
  /** Code of OperationOutcome.issue. */
  readonly code: OperationOutcomeIssue['code']
  readonly expression: string
  readonly detail: string
  /** The same in the codes of others: OperationOutcome.issue.details. */
  readonly codes?: readonly { readonly system?: string; readonly code: string }[]
}

export interface ValidationOptions {
  /** Modifier extensions that are understood; any other is refused. https://hl7.org/fhir/R4/extensibility.html#modifierExtension */
  readonly modifierExtensions?: ReadonlySet<string>
  /** Where the resource stands in what was sent: `Bundle.entry[2].resource`. Its own type when absent. */
  readonly at?: string
}

const PROBLEMS_MAX = 50
/** Of bytes inside a resource; doors limit whole bodies before. The library's own limit is 1 MiB. */
const BASE64_BYTES_MAX = 256 * 1024 * 1024

/**
 * Structure, cardinality, formats of primitives, required bindings, and modifier extensions nobody here understands. Other
 * extensions are no problem.
 *
 * @returns errors first
 */
export function problemsOf(resource: unknown, options: ValidationOptions = {}): Problem[] {
  if (!isJson(resource) || typeof resource['resourceType'] !== 'string') {
    return [problem('error', 'structure', options.at ?? '', 'not a resource')]
  }
  const type = resource['resourceType']
  const at = options.at ?? type
  if (!isResourceType(type)) return [problem('error', 'not-supported', at, `${type} is no resource that is known here`)]
  const found: Problem[] = []
  // The resources of a bundle are checked one by one, so that each problem is told with its entry.
  const alone = type === 'Bundle' ? withoutEntries(resource) : resource
  for (const issue of structureIssues(alone)) {
    const severity = issue.severity === 'warning' || issue.severity === 'information' ? 'warning' : 'error'
    const own = issue.expression?.[0] ?? type
    const expression = own.startsWith(type) ? at + own.slice(type.length) : `${at}.${own}`
    found.push(problem(severity, issue.code, expression, issue.details?.text ?? issue.diagnostics ?? 'not valid'))
  }
  codeProblems(type, resource, at, options.modifierExtensions ?? new Set(), found)
  return found
    .toSorted((a, b) => Number(b.severity === 'error') - Number(a.severity === 'error'))
    .slice(0, PROBLEMS_MAX)
}

function problem(severity: Problem['severity'], code: Problem['code'], expression: string, detail: string): Problem {
  return { severity, code, expression, detail }
}

function withoutEntries(bundle: Json): Json {
  const { entry, ...rest } = bundle
  if (!Array.isArray(entry)) return bundle
  const stripped = entry.map((one: unknown) => {
    if (!isJson(one)) return one
    const { resource: _, ...shell } = one
    return Object.keys(shell).length === 0 ? { fullUrl: 'urn:uuid:0' } : shell
  })
  return { ...rest, entry: stripped }
}

function structureIssues(resource: Json): readonly OperationOutcomeIssue[] {
  try {
    return validateResource(resource as unknown as Resource, { base64BinaryMaxBytes: BASE64_BYTES_MAX })
  } catch (thrown) {
    return normalizeOperationOutcome(thrown).issue ?? []
  }
}

/** Required bindings and modifier extensions, all the way down, contained resources and entries of bundles included. */
function codeProblems(type: string, value: Json, at: string, understood: ReadonlySet<string>, found: Problem[]): void {
  const elements = elementsOf(type)
  if (elements === undefined || found.length >= PROBLEMS_MAX * 2) return
  for (const [name, member] of Object.entries(value)) {
    const element = elements.get(name)
    if (element === undefined) continue
    const values: readonly unknown[] = Array.isArray(member) ? member : [member]
    for (const [index, one] of values.entries()) {
      const here = Array.isArray(member) ? `${at}.${name}[${index}]` : `${at}.${name}`
      if (name === 'modifierExtension') {
        const url = isJson(one) ? String(one['url']) : ''
        if (!understood.has(url)) {
          found.push(problem('error', 'extension', here, `a modifier extension that is not understood here: ${url}`))
        }
        continue
      }
      const binding = element.element.binding
      if (binding?.strength === 'required' && binding.valueSet !== undefined) {
        bound(element.type, one, binding.valueSet, here, found)
      }
      if (!isJson(one)) continue
      if (!holdsResource(element.type)) {
        if (!isPrimitive(element.type)) codeProblems(element.type, one, here, understood, found)
        continue
      }
      if (type === 'BundleEntry' && name === 'resource') {
        found.push(...problemsOf(one, { at: here, modifierExtensions: understood }))
      } else if (typeof one['resourceType'] === 'string') {
        codeProblems(one['resourceType'], one, here, understood, found)
      }
    }
  }
}

function bound(type: string, value: unknown, valueSet: string, at: string, found: Problem[]): void {
  const listed = codesOf(valueSet)
  if (listed === undefined || value === null) return
  const name = valueSet.replace(/\|.*$/, '')
  const has = (code: unknown, system: unknown): boolean =>
    listed.some(
      (one) => (system === undefined || system === one.system) && typeof code === 'string' && one.codes.includes(code),
    )
  if (type === 'code' || type === 'string' || type === 'uri') {
    if (!has(value, undefined)) found.push(problem('error', 'code-invalid', at, `not a code of ${name}`))
  } else if (type === 'Coding' && isJson(value)) {
    if (value['code'] !== undefined && !has(value['code'], value['system'])) {
      found.push(problem('error', 'code-invalid', `${at}.code`, `not a code of ${name}`))
    }
  } else if (type === 'CodeableConcept' && isJson(value)) {
    const codings = Array.isArray(value['coding']) ? value['coding'].filter(isJson) : []
    if (codings.length > 0 && !codings.some((one) => has(one['code'], one['system']))) {
      found.push(problem('error', 'code-invalid', `${at}.coding`, `no code of ${name}`))
    }
  }
}
