/** Writes the reference pages that are made from the code: `node tools/reference.ts`. Tests keep them equal. */
import { writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { errorTitles } from '../src/access/http-server-titles.ts'
import { COMMON_FLAGS } from '../src/cli/arguments.ts'
import type { Flag } from '../src/cli/command.ts'
import { laterCommands } from '../src/cli/commands/later.ts'
import { commands } from '../src/cli/commands.ts'
import { configurationSettings } from '../src/config.ts'
import { failures } from '../src/errors.ts'
import { LABELS_NEEDED, PRECISION_NEEDED } from '../src/index/sqlite/placement-store.ts'
import { PERMISSIONS, ROLES } from '../src/model/permission.ts'
import { RULES } from '../src/placement/policy.ts'
import { ROLE_PERMISSIONS } from '../src/security/roles.ts'
import { SETTINGS } from '../src/security/site-settings.ts'
import { fhirPage } from './fhir-page.ts'
import { httpApiPage } from './http-api-page.ts'

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

function value(of: unknown): string {
  if (of === undefined || (Array.isArray(of) && of.length === 0)) return ''
  const text = typeof of === 'string' ? of : JSON.stringify(of)
  // A value set fills pages: `diptych settings show` prints it.
  return text.length > DEFAULT_SHOWN ? 'long: `diptych settings show`' : `\`${text}\``
}

const DEFAULT_SHOWN = 200

export function errorsPage(): string {
  const codes = Object.entries(failures).map(([code, { http, dimse, ack, fhir, xds, retry }]) => {
    const title = errorTitles[code as keyof typeof errorTitles]
    const status = dimse.toString(16).toUpperCase().padStart(4, '0')
    return [`\`${code}\``, title, String(http), `${status}H`, ack, fhir, xds, retry ? 'yes' : '']
  })
  return `# Errors

Every failure the archive reports has a code. HTTP answers are \`application/problem+json\` (RFC 9457) with \`code\`,
\`detail\` and often \`hint\`; every other door tells the same failure in its own form. "Retry" says that the same
request may succeed later without being changed; 429 and 503 carry \`Retry-After\`. A 404 always has the same text:
what may not be seen cannot be told from what does not exist.

Made from \`src/errors.ts\` by \`node tools/reference.ts\`.

${table(['code', 'meaning', 'HTTP', 'DIMSE', 'HL7 v2', 'FHIR issue', 'XDS', 'retry'], codes)}
`
}

export function configurationPage(): string {
  const sections = Map.groupBy(configurationSettings(), ({ section }) => section)
  const parts = [...sections].map(([section, settings]) => {
    const rows = settings.map(({ key, environment, fallback, description }) => [
      `\`${key}\``,
      `\`${environment}\``,
      value(fallback),
      description,
    ])
    return `## ${section}\n\n${table(['key', 'environment', 'default', 'what it does'], rows)}`
  })
  const site = Object.entries(SETTINGS).map(([key, { fallback, what }]) => [`\`${key}\``, value(fallback), what])
  return `# Configuration

What differs per node and needs a restart stands in \`diptych.config.json\` in the data directory, as an object of
sections, or in the environment, which wins; flags of the command line win over both. A wrong key or value is an error
that names it. Sizes are bytes, or text such as \`"64 MiB"\`. In the environment a list is written with commas.

    { "http": { "port": 8443, "tlsCertificate": "/etc/diptych/cert.pem", "tlsKey": "/etc/diptych/key.pem" } }

Made from \`src/config.ts\` by \`node tools/reference.ts\`.

${parts.join('\n\n')}

# Site settings

The same on every node, changed while running, versioned and audited: \`GET\` and \`POST /api/v1/settings\`, or
\`diptych settings\`. Exported and imported as one file together with the register of originators.

${table(['key', 'default', 'what it does'], site)}
`
}

export function placementPage(): string {
  const rows = RULES.map(({ id, version, policy, why, source, rests, threshold, parameters }, i) => [
    String(i + 1),
    `\`${id}\` (version ${version})`,
    policy,
    why,
    rests === 'structure' ? 'structure: acts at once' : `signs: from ${threshold} on, proposes until labelled`,
    Object.entries(parameters)
      .map(([name, fallback]) => `\`${name}\`: ${JSON.stringify(fallback)}`)
      .join(', '),
    source,
  ])
  return `# Placement: image or document

Every object has a place: the image panel or the document panel, in a form. Rules decide, in the order of the site's
policy; the first that speaks of an object stands, later ones are kept as alternatives. A rule is a pure function of
what is there (a study with its documents, or a document alone), so the order in which parts arrive does not count:
when something changes it is asked again, and a decision that no longer fits is taken back before the new one is
carried out. Nothing moves silently: each decision keeps its rule, version, facts, signs, alternatives and history, and
each can be undone; what a person declined or undid is not asked again.

${table(['', 'rule', 'policy', 'why', 'rests on', 'parameters', 'source'], rows)}

## What is done

| effect | what happens | undo |
| --- | --- | --- |
| \`encapsulate\` | a native PDF gets a DICOM face in its study, with UIDs that follow from study and bytes; the original stays a document | the face is deleted |
| \`unwrap\`, \`to-document\` | the bytes inside a DICOM object stand in the document panel; no second copy where they are one range of it | the document is deleted |
| \`waveform-face\` | an HL7 aECG gets a DICOM waveform; one whose subject (date of birth, sex, name) is another than its patient, or nobody's, waits for a person | the face is deleted |
| \`rendition\` | the object is folded under the original it repeats | unfolded |
| \`paper\` | the scans of a series become one PDF; with \`hideScans\` they leave the image panel, their bytes stay | the PDF is deleted, the scans come back as they were |
| \`pointer\` | another system owns documents (\`documentSystem\`): the scans stay and are listed under it, form \`pointer\` | off the list |
| \`ask-for\` | nothing better is here: listed, to ask its source | |
| \`stay\` | nothing: the explanation is all | |

## Recognisers and labels

Rules that rest on signs add up weights to a score between 0 and 1. They propose until the site has labelled
${LABELS_NEEDED} of its own samples for the rule and the recogniser was right in ${PRECISION_NEEDED * 100} % of what it
took for its own. Labels are given on the page, by \`diptych placement label\` or \`POST /api/v1/placement/labels\`;
with each the page shows precision, recall and what was wrong or missed. A label that is given again replaces the first.
\`node test/bench/placement-corpus.ts\` measures precision and recall on a corpus made by code, near
misses included; a corpus by the author of the rules shows that they do what was meant, not that they fit a hospital.

## Setting the policy

\`diptych placement policy\` and \`GET /api/v1/placement/policy\` show it; \`PUT\` sets it (checked: unknown rules and
parameters are refused); \`POST /api/v1/placement/dry-run\` says what a policy would change of what is stored, without
changing it. A setting of a rule: \`on\`, \`mode\` (\`act\` or \`propose\`), \`threshold\`, \`parameters\`, and the departments
and originators it is meant for. With \`documentSystem\` scans become pointers.

A rule may stand more than once: settings for departments or originators stand before the one for everybody and decide
for theirs, also when they are \`off\`. Whatever a setting is meant for, a rule looks at the whole study.

A policy is for what arrives, and changes, from then on. Each change is a version (\`GET .../policy/versions\`); \`diptych placement
undo-policy\` and \`POST .../policy/undo\` put the one before in force and look again at all that was decided since: what
only the policy that is gone wanted is taken back.

## Surveys

\`diptych survey\` (\`POST /api/v1/surveys\`) asks every rule about everything that is stored and reports, by rule, how much
is kept otherwise than the policy says, with examples; \`--findings\` lists all of it, \`--json\` as lines. It changes nothing. It
runs as a durable job in short steps, goes on after a restart where it was, and can be ended. \`diptych mend --rule RULE --reason
TEXT\` (\`POST /api/v1/surveys/{id}/mend\`), or with ids of findings, or \`--all\`, accepts what waits: each is looked at anew,
decided in the name of whoever asked, and can be undone. What a person declined or undid is told as declined.

## When it is cut off

A decision is journalled and committed with the job that carries it out; each move first finds out what is done already, and what it
makes has names that follow from the decision. Killed at any step, the next start goes on with it first; an undo of a half-done
move finds what was made. \`test/journeys/placement-killed.test.ts\` kills the server at each step.
An index that is rebuilt holds the same decisions, labels and what they made. Surveys are not kept in the journal.

    curl -s -H "Authorization: Bearer $TOKEN" $URL/api/v1/placement?state=proposed
    curl -s -X POST -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
      -d '{"reason":"it is a drawing"}' $URL/api/v1/placement/123.0/undo

Made from \`src/placement/policy.ts\` by \`node tools/reference.ts\`.
`
}

export function rightsPage(): string {
  const rows = PERMISSIONS.map((permission) => [
    `\`${permission}\``,
    ...ROLES.map((role) => (ROLE_PERMISSIONS[role].includes(permission) ? 'yes' : '')),
  ])
  return `# Roles and rights

Every route and service names the right it needs; roles bundle rights. A token can be narrowed by SMART scopes (v1 and
v2, such as \`patient/ImagingStudy.rs\`; search parts are not taken), by the name of a right, and by patients. A subject
that is limited to patients has the rights that are about one patient's objects only: \`object.read\`,
\`object.export\`, \`document.read\`. A scope for images without one for documents hides documents inside studies.

A patient of a token is a number and its issuer; without an issuer it is whoever gave such a number, now or later. It follows
the person: after a merge the token reaches all of the merged record, images and documents, by every door, and after the merge is
taken back only its own again. What a token decides stands under its id; \`diptych token list\` says its name.

A DICOM peer has the rights of its entry in the register, \`--allow\`: \`store\` is \`object.store\`, \`find\`, \`get\` and \`move\` read
everything that is kept (peers are not limited to patients), \`worklist\`, \`mpps\` and \`commit\` are these services alone. It may
move to itself and to the peers that its entry names. Its AE title proves nothing: address or certificate do
([DICOM network](dimse.md)).

## Restricted records

\`diptych restrict\` and \`/api/v1/restrictions\` (\`identity.decide\`; listing: \`identity.read\`) say what is withheld of a patient, with a
reason and, if wanted, an end:

| kind | who sees the record |
| --- | --- |
| \`restricted\` | clinicians, archivists, administrators |
| \`very-restricted\`, \`consent-denied\` | nobody, but who breaks the glass |
| \`vip\` | as before; each look raises an alert in the audit trail |

What is withheld is not there: no study, object, document, word, row or count of it, on DICOMweb, FHIR, the pages and DIMSE (from the
next association on). Deny wins; roles, scopes and patients of tokens still hold. A restriction follows the person through merges.
Those who keep identities, orders and the quarantine in order see that the patient exists. Restrictions stand in the journal.

Those who treat (clinician, administrator) open such a record in an emergency: \`POST /api/v1/break-glass\` with patient, reason and
minutes (60; at most 480), or on the page. It is for this subject alone, told as a Security Alert, every look while it is open
stands in the trail with the purpose \`break-glass\`, and auditors list it (\`GET /api/v1/break-glass\`, \`diptych break-glass
list\`). Whoever broke it closes it again, or time does.

## Audit

Every entry is a link of a hash chain (\`diptych audit verify\`). With \`audit.syslog\` (\`tls://\`, \`tcp://\` or \`udp://host:port\`) each also
goes to a syslog server as a DICOM audit message (PS3.15 A.5; RFC 5424 with facility 10, message id \`DICOM+RFC3881\`; RFC 5425, 6587 or
5426), from the start of the node on at which it was set. The trail is the queue: what could not be sent is sent later, in order, also after a
restart; readiness says \`audit-not-sent\` when an entry waits for more than a minute. Syslog has no acknowledgement: what was under
way when a server died may come twice, and over UDP may not come at all. TLS proves the server by \`audit.syslogAuthorities\`
and shows \`audit.syslogCertificate\`.

## Answers

Without a valid token or session: 401. Without the right: 403. What may not be seen: 404, the same bytes as for what
does not exist. Repeated failures are slowed per account and per token, never per address.

Passwords: argon2id (19 MiB, 2 passes, 1 lane), 12 to 256 characters. Tokens and session cookies: 256 random bits,
kept as SHA-256.

Made from \`src/security/roles.ts\` by \`node tools/reference.ts\`.

${table(['right', ...ROLES], rows)}
`
}

export function commandsPage(): string {
  const later = new Set<string>(laterCommands.map(({ name }) => name))
  const flagTable = (flags: { readonly [name: string]: Flag }) =>
    table(
      ['flag', 'what it does'],
      Object.entries(flags).map(([name, { value: of, multiple, about }]) => [
        `\`--${name}${of === undefined ? '' : ` ${of}`}\`${multiple ? ' (repeatable)' : ''}`,
        about,
      ]),
    )
  const parts = commands
    .filter(({ name }) => !later.has(name))
    .map(({ name, summary, operands, flags, more, runs }) =>
      [
        `## ${name}`,
        `    diptych ${name}${operands === '' ? '' : ` ${operands}`}`,
        `${summary}.${runs === 'here' ? ' Owns the data directory while it runs.' : ''}`,
        ...(Object.keys(flags).length === 0 ? [] : [flagTable(flags)]),
        ...(more === undefined ? [] : [more]),
      ].join('\n\n'),
    )
  return `# Commands

In a checkout the command is \`npx diptych\`. One process owns a data directory. Any other command reaches the owner
through the socket \`<data>/socket\` (only the user who owns it may open it) and runs there; when nobody owns the data,
the command opens it itself. A lock left by a killed process never prevents the next start.

Exit status: 0 all done; 2 done, but something was held, refused, missing or damaged; 1 could not run, or a path that was
named is not there (the others are done). \`demo\` holds a file on purpose and ends with 0. An interrupt (Ctrl-C)
ends a long command after what is on its way; run it again to go on.

Every command has:

${flagTable(COMMON_FLAGS)}

Made from \`src/cli/commands/\` by \`node tools/reference.ts\`.

${parts.join('\n\n')}

## Not in this version

${[...later].map((name) => `\`${name}\``).join(', ')}: each says so and ends with status 1.
`
}

/** Every page, by its path in the repository. */
export const PAGES: { readonly [path: string]: () => string | Promise<string> } = {
  'docs/reference/errors.md': errorsPage,
  'docs/reference/configuration.md': configurationPage,
  'docs/reference/placement.md': placementPage,
  'docs/reference/rights.md': rightsPage,
  'docs/reference/commands.md': commandsPage,
  'docs/reference/fhir.md': fhirPage,
  'docs/reference/http-api.md': httpApiPage,
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const [path, page] of Object.entries(PAGES)) writeFileSync(path, await page())
}
