import { carrierRules } from './checks/carriers.ts'
import { cdaRules } from './checks/cda.ts'
import { documentRules } from './checks/documents.ts'
import { dualPersonalityRules } from './checks/dual-personality.ts'
import { fileMetaRules } from './checks/file-meta.ts'
import { hiddenValueRules } from './checks/hidden-value.ts'
import { identityRules } from './checks/identity.ts'
import { nativeFileRules } from './checks/native-file.ts'
import { pdfRules } from './checks/pdf.ts'
import { pixelDataRules } from './checks/pixel-data.ts'
import { preambleRules } from './checks/preamble.ts'
import { privateElementRules, strippingRules } from './checks/private-elements.ts'
import { type Rule, rule } from './checks/rule.ts'
import { sentDocumentRules } from './checks/sent-document.ts'
import { structureRules } from './checks/structure.ts'
import { trailingRules } from './checks/trailing.ts'

/** Raised whenever a rule changes what it says; recorded with each verdict. threats.md G4. */
export const RULES_VERSION = 1

/** Rules of the engine itself: what it does when it cannot judge. */
const engineRules: readonly Rule[] = [
  rule(
    'G2',
    'threat catalogue 0',
    'quarantine',
    ['quarantine', 'reject'],
    'Screening itself failed.',
    'It fails closed: the object is held until a person or a new version looks again.',
  ),
  rule(
    'sop-class',
    'PS3.4 section B.3',
    'keep',
    ['keep', 'reject'],
    'The SOP Class is not known and the site refuses such.',
    'By default classes nobody has seen yet are kept.',
  ),
  rule(
    'B11',
    'threat catalogue 1.2',
    'quarantine',
    ['quarantine', 'reject'],
    'The virus scanner found something, in the file or in a piece of it.',
    'The signature name is in the finding.',
  ),
  rule(
    'scan-pending',
    'threat catalogue 0',
    'quarantine',
    ['quarantine', 'reject'],
    'The scanner is configured and cannot be reached, or did not answer in time.',
    'Nothing unscanned is let through; the object waits.',
  ),
  rule(
    'scan-partly',
    'threat catalogue 0',
    'keep',
    ['keep', 'quarantine', 'reject'],
    'Parts were too large for the scanner.',
    'ClamAV cannot scan a file above 2 GiB; what was not looked at is in the record.',
  ),
  rule(
    'E1',
    'threat catalogue 3',
    'keep',
    ['keep', 'quarantine', 'reject'],
    'The name of an archive member or a file on a medium would be dangerous as a path.',
    'Names are labels only; links and devices are skipped and told.',
  ),
  rule(
    'E2',
    'threat catalogue 3',
    'reject',
    ['reject'],
    'An archive over its limits: ratio, entries, overlaps, nesting, encryption.',
    'Unpacking stops at the real limit while it streams.',
  ),
  rule(
    'E4',
    'PS3.10 section 8; threat catalogue 3',
    'keep',
    ['keep'],
    'DICOMDIR and medium differ, or a Referenced File ID leads out of the medium.',
    'The index is a cross-check only.',
  ),
]

/** Every rule of screening, in the order of its reference page. */
export const rules: readonly Rule[] = [
  ...preambleRules,
  ...carrierRules,
  ...dualPersonalityRules,
  ...fileMetaRules,
  ...identityRules,
  ...structureRules,
  ...trailingRules,
  ...privateElementRules,
  ...strippingRules,
  ...hiddenValueRules,
  ...pixelDataRules,
  ...pdfRules,
  ...documentRules,
  ...cdaRules,
  ...nativeFileRules,
  ...sentDocumentRules,
  ...engineRules,
]

const byId = new Map(rules.map((entry) => [entry.id, entry]))

/** @returns undefined for a rule of another room (`conflict`) */
export function ruleOf(id: string): Rule | undefined {
  return byId.get(id)
}

/** The table of docs/reference/screening.md; a test keeps the page equal to it. */
export function rulesReference(): string {
  const lines = [
    '# Screening rules',
    '',
    `Version ${RULES_VERSION}. A site, a door or an originator changes what a rule does by its id, e.g. \`{"P8": "quarantine"}\`;`,
    'the most specific one wins. A rule without choices cannot be changed; a policy that names a rule there is not, or what a',
    'rule may not be set to, is refused with its name. What looks like a program or an archive is never let through by a',
    'policy, whatever the rule, and an untrusted originator is never allowed more than the rule itself.',
    '',
    '| rule | says | why | default | may be set to | source |',
    '| --- | --- | --- | --- | --- | --- |',
  ]
  for (const { id, says, why, default: fallback, allowed, source } of rules) {
    lines.push(`| \`${id}\` | ${says} | ${why} | ${fallback} | ${allowed.join(', ') || '-'} | ${source} |`)
  }
  return `${lines.join('\n')}\n`
}
