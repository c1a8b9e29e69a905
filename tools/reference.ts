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
import { PERMISSIONS, ROLES } from '../src/model/permission.ts'
import { ROLE_PERMISSIONS } from '../src/security/roles.ts'
import { SETTINGS } from '../src/security/site-settings.ts'

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

function value(of: unknown): string {
  if (of === undefined || (Array.isArray(of) && of.length === 0)) return ''
  return `\`${typeof of === 'string' ? of : JSON.stringify(of)}\``
}

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

Exit status: 0 all done; 2 done, but something was held, refused or damaged; 1 could not run. An interrupt (Ctrl-C)
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
export const PAGES: { readonly [path: string]: () => string } = {
  'docs/reference/errors.md': errorsPage,
  'docs/reference/configuration.md': configurationPage,
  'docs/reference/rights.md': rightsPage,
  'docs/reference/commands.md': commandsPage,
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const [path, page] of Object.entries(PAGES)) writeFileSync(path, page())
}
