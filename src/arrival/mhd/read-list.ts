import type { List } from '@medplum/fhirtypes'
import type { Code, DocumentAuthor, DocumentOwner } from '#model/document.ts'
import type { SubmittedList } from '#model/document-desk.ts'
import type { Problem } from '#standards/fhir/validate.ts'
import { isListType, mhdExtension } from './canonical.ts'
import { NOBODY, readAuthor } from './read-author.ts'
import type { StagingContext } from './staged.ts'

/** What a List is: a submission set or a folder; null for any other list, which is not kept here. */
export function listKindOf(list: List): SubmittedList['kind'] | null {
  const codes = (list.code?.coding ?? []).filter(({ system }) => isListType(system)).map(({ code }) => code)
  if (codes.includes('submissionset')) return 'submission-set'
  return codes.includes('folder') ? 'folder' : null
}

/** Items of a list by label or identifier: what a reference ends in. */
export function itemsOf(list: List): string[] {
  return (list.entry ?? []).flatMap(
    ({ item }) => item?.reference?.replace(/^.*\//, '') ?? item?.identifier?.value ?? [],
  )
}

/** SubmissionSet and Folder attributes of a List. services.md C.5. */
export async function readList(
  list: List,
  owner: DocumentOwner | null,
  context: StagingContext,
  at: string,
  problems: Problem[],
): Promise<SubmittedList> {
  const kind = listKindOf(list)
  if (kind === null) {
    const detail = 'only submission sets and folders are kept (code of MHDlistTypes)'
    problems.push({ severity: 'error', code: 'not-supported', expression: `${at}.code`, detail })
  }
  const extensions = new Map((list.extension ?? []).map((extension) => [mhdExtension(extension), extension]))
  const codes = (list.extension ?? [])
    .filter((extension) => mhdExtension(extension) === 'designationType')
    .flatMap(({ valueCodeableConcept }) =>
      (valueCodeableConcept?.coding ?? []).flatMap(({ code, system = '', display = '' }): Code[] =>
        code === undefined ? [] : [{ code, system, display }],
      ),
    )
  const recipients = (list.extension ?? [])
    .filter((extension) => mhdExtension(extension) === 'intendedRecipient')
    .map(({ valueReference }) => valueReference)
  const named = await Promise.all(
    recipients.map(async (reference) => {
      if (reference === undefined) return null
      const author = await readAuthor(reference, list.contained ?? [], context)
      return (
        author?.person ?? author?.institution ?? author?.telecom ?? reference.display ?? reference.reference ?? null
      )
    }),
  )
  const author = list.source === undefined ? null : await readAuthor(list.source, list.contained ?? [], context)
  const organisation = list.source?.extension?.find((extension) => mhdExtension(extension) === 'authorOrg')
  const { valueReference: of } = organisation ?? {}
  const institution = of === undefined ? null : await readAuthor(of, list.contained ?? [], context)
  const identifiers = list.identifier ?? []
  const unique = identifiers.find(({ use }) => use === 'usual') ?? identifiers.find(({ use }) => use !== 'official')
  const unread = (list.extension ?? []).filter((extension) => mhdExtension(extension) === undefined)
  return {
    label: list.id ?? '',
    ...(list.id === undefined ? {} : { id: list.id }),
    kind: kind ?? 'submission-set',
    uniqueId: unique?.value ?? `urn:uuid:${list.id}`,
    sourceId: extensions.get('sourceId')?.valueIdentifier?.value ?? null,
    title: list.title ?? null,
    comments: list.note?.[0]?.text ?? null,
    status: 'current',
    codes,
    authors: joined(author, institution?.institution ?? null),
    intendedRecipients: named.filter((name) => name !== null),
    time: list.date ?? context.provenance.time,
    extra: unread.length === 0 ? {} : { fhirExtension: unread },
    owner,
    items: itemsOf(list),
  }
}

/** Who submitted, with the organisation that MHD keeps in an extension of its own. */
function joined(author: DocumentAuthor | null, institution: string | null): DocumentAuthor[] {
  if (institution === null) return author === null ? [] : [author]
  return [{ ...(author ?? NOBODY), institution }]
}
