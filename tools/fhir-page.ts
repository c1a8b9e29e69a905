/** docs/reference/fhir.md: prose, and tables made from the resource types that are served. */
import { interactionsOf } from '../src/access/fhir/capability.ts'
import { KINDS } from '../src/access/fhir/kinds.ts'
import { searchParameter } from '../src/standards/fhir/definitions.ts'

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

const codes = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(' ')

export function fhirPage(): string {
  const kinds = KINDS.map((kind) => [kind.type, kind.made, kind.owner, kind.writable, kind.versions])
  const rights = KINDS.map((kind) => [
    kind.type,
    codes(interactionsOf(kind)),
    `\`${kind.needs.read}\``,
    kind.needs.create === undefined ? '' : `\`${kind.needs.create}\``,
    kind.needs.change === undefined ? '' : `\`${kind.needs.change}\``,
  ])
  const searches = KINDS.filter(({ parameters }) => parameters.length > 0).map((kind) => [
    kind.type,
    kind.parameters.map((code) => `\`${code}\` ${searchParameter(kind.type, code)?.type ?? 'string'}`).join(', '),
    codes(kind.includes.map((code) => `${kind.type}:${code}`)),
    codes(kind.revIncludes),
    codes(kind.sorts),
  ])
  return `# FHIR R4

FHIR 4.0.1 at \`/fhir\`, in JSON and XML, both ways. \`GET /fhir/metadata\` says what there is, made from the same tables as the routes and
this page. IHE MHD, PDQm and PIXm have [a page of their own](mhd.md).

    curl http://127.0.0.1:8080/fhir/metadata
    curl 'http://127.0.0.1:8080/fhir/ImagingStudy?patient.identifier=DEMO-0001&_include=ImagingStudy:patient'
    curl 'http://127.0.0.1:8080/fhir/Observation?code=http://loinc.org|73569-6&_include=Observation:has-member'

Why it is built on packages of Medplum, and what that costs: [decision](../decisions/fhir-medplum.md).

## Resources

Derived resources are worked out for each answer from what the archive knows; they cannot be written (405). Their version is a digest of
their content, so an ETag changes exactly when the content does. Of a DICOM object nothing is copied: corrections of a person stay in force
when more instances come.

${table(['resource', 'made', 'owned by', 'writable', 'version and history'], kinds)}

* **Patient**: one that was merged reads as \`active: false\` with \`link.type\` \`replaced-by\`; searches by its number find the survivor too
  (ask \`active=true\` for that one alone), and references to it find what is the survivor's now.
* **Encounter**: PV1-2 is not kept, so \`class\` is unknown (\`UNK\`). Times without a zone are told as days.
* **ImagingStudy**: up to 1,000 series; instances are listed up to 100 of them, beyond that DICOMweb has them (\`endpoint\`).
* **Observation**: of an X-ray dose report one summary (LOINC 73569-6) with the totals, and one for each irradiation (DCM 113852) under
  \`has-member\`; of an ECG one (LOINC 11524-6) with what the recorder measured and stated, \`preliminary\` because nobody here knows whether a
  physician agreed. Units are UCUM where they are known, else as the device wrote them.
* **DiagnosticReport**: current documents whose class is radiology, cardiology, pathology, laboratory or reports in general.
* **Device**: equipment by maker, model and station; serial number, software and UDI of its newest series.
* **Provenance**: found by \`target\`, \`patient\` or \`_id\`. Of a study at most 200 objects and 500 decisions are told.
* **Binary**: the bytes, with ranges, as an attachment nothing in a browser runs, unless a FHIR type is asked for. Read with the rights of
  its DocumentReference.
* **AuditEvent**: the audit trail; also as DICOM audit messages.

## Interactions and rights

${table(['resource', 'interactions', 'read', 'create', 'change'], rights)}

History of a type is kept for FHIR's own resources; there is no history of the whole system: the change feed is for that. A deleted resource
answers 410, its history tells the deletion. Documents that were deleted answer 404, as if they had never been.

Rights come from the role; SMART scopes (\`patient/ImagingStudy.rs\`, v1 and v2) narrow them by type, interaction and patient. A caller limited
to patients gets for everybody else's resources, byte for byte, the answer for what does not exist. Who has a scope for images without one for
documents sees no study that holds a document. \`/fhir/.well-known/smart-configuration\` names no authorization or token endpoint: tokens are
made by an administrator (\`diptych token create\`).

## Search

GET or POST \`_search\`, for one type or several (\`/fhir?_type=Patient,ImagingStudy\`). Everywhere: \`_id\`, \`_lastUpdated\`, \`_tag\`, \`_profile\`,
\`_security\`; modifiers \`:missing :exact :contains :not :text :identifier :above :below\` and types of references; prefixes \`eq ne gt lt ge le sa eb
ap\`; chains (\`patient.identifier\`, \`subject:Patient.family\`) that lead to at most 500 resources; \`_include\`, \`_revinclude\`, \`:iterate\` in three
rounds and at most 1,000 resources; \`_count\` (20, at most 1,000), \`_summary\`, \`_elements\`, \`_total\`. \`next\` links go on behind the last row
that was given and stay true while more comes in. What is not understood is ignored and left out of the \`self\` link;
\`Prefer: handling=strict\` makes it an error (400). \`total\` is told when it costs nothing, or with \`_total=accurate\`.

${table(['resource', 'parameters', '_include', '_revinclude', '_sort'], searches)}

## Writing

Create, update, PATCH (JSON Patch, FHIRPath Patch), delete, conditional create (\`If-None-Exist\`) and update, batch and transaction.
\`If-Match\` makes an update or delete conditional (412). A transaction is kept as a whole, documents, lists and own resources in one flush and one
commit, or not at all; the OperationOutcome then names every element that is wrong by its FHIRPath (\`Bundle.entry[2].resource.status\`). Required
bindings are checked. \`Prefer: return=minimal|representation|OperationOutcome\`. Everything written comes back, every version of it, after
\`rebuild-index\`.

## Extensions

A policy per originator (found by account or address) says what an extension means:

    diptych originator add "Ward app" --account ward --fhir-extension http://example.org/x=strip --fhir-extension '*=inert'

| use | an extension | a modifier extension |
| --- | --- | --- |
| \`inert\` (when nothing is said) | kept, given back where it stood, means nothing | refused: 422 |
| \`honour\` | the same; those of MHD, names and mother's maiden name are understood anyway | accepted, only when named by its address |
| \`strip\` | left out; journal and audit trail say so | refused: 422 |
| \`refuse\` | refused: 422 with its place | refused: 422 |

Extensions of contained authors are not kept: these are taken apart into what a document says of its authors.

## Errors

Every failure is an OperationOutcome with the code of [the catalogue](errors.md) in \`details.coding\` (system \`urn:diptych:error\`), no stack, no data
of patients. 400 what cannot be read, 404 unknown or not to be seen, 405 not written here, 406 and 415 formats, 409 held by screening or in
conflict, 410 deleted, 412 another version, 422 not valid.

Made by \`node tools/reference.ts\` from \`src/access/fhir/kinds.ts\`.
`
}
