import { setTimeout as pause } from 'node:timers/promises'
import type { Survey, SurveyGroup } from '#model/survey.ts'
import type { Archive } from '../../app.ts'
import { type ArchiveCommand, type Emit, isSet, needed, text, texts, UsageError } from '../command.ts'
import { oneLine } from '../terminal.ts'

const BY = 'local'
/** How often a job that runs is looked at, in milliseconds. */
const LOOK_MS = 200

export const surveyCommand: ArchiveCommand = {
  runs: 'in-owner',
  name: 'survey',
  needsData: true,
  summary: 'Find what is kept otherwise than the placement policy says; changes nothing',
  operands: '',
  flags: {
    show: { type: 'string', value: 'ID', about: 'the report of an earlier survey' },
    findings: { type: 'boolean', about: 'list every finding, not only counts and examples' },
    cancel: { type: 'string', value: 'ID', about: 'end a survey that is under way' },
  },
  more: `It is done by a job of the archive: interrupted, it goes on by itself, and survey shows it again.
diptych mend accepts what it found.`,
  operandCount: [0, 0],
  async run(archive, given, emit, signal) {
    const { surveys, surveyReports: reports } = archive
    const cancelled = text(given, 'cancel')
    if (cancelled !== undefined) {
      await emit({ json: await surveys.cancel(cancelled, BY), text: `survey ${cancelled} is ended` })
      return 0
    }
    const asked = text(given, 'show')
    const begun = asked === undefined ? await surveys.start(BY) : reports.survey(asked)
    if (begun === undefined) throw new UsageError(`there is no survey ${asked}`)
    let survey: Survey = begun
    const started = performance.now()
    while (asked === undefined && survey.state === 'running' && !signal.aborted) {
      const seconds = (performance.now() - started) / 1000
      await emit({ progress: { done: survey.looked, bytes: 0, seconds, counts: { findings: survey.findings } } })
      await pause(LOOK_MS)
      survey = reports.survey(survey.id) ?? survey
    }
    if (isSet(given, 'findings')) await tellFindings(archive, survey.id, emit)
    for (const group of reports.report(survey.id)) await emit({ json: group, text: groupText(group) })
    const { id, state, looked, total, objects, findings } = survey
    await emit({
      json: { summary: { survey: id, state, looked, total, objects, findings } },
      text: `survey ${id} ${state}: ${objects} objects of ${looked} studies and documents, ${findings} findings`,
      ...(state === 'running' ? { note: `It goes on behind: diptych survey --show ${id}` } : {}),
    })
    return 0
  },
}

export const mendCommand: ArchiveCommand = {
  runs: 'in-owner',
  name: 'mend',
  needsData: true,
  summary: 'Accept what a survey found, by rule or one by one; each can be undone',
  operands: '[FINDING...]',
  flags: {
    survey: { type: 'string', value: 'ID', about: 'which survey (default: the newest)' },
    rule: { type: 'string', value: 'RULE', multiple: true, about: 'everything of this rule; repeatable' },
    all: { type: 'boolean', about: 'everything that waits' },
    reason: { type: 'string', value: 'TEXT', about: 'why; needed' },
  },
  operandCount: [0, 10_000],
  async run(archive, given, emit, signal) {
    const { surveys, surveyReports: reports } = archive
    const reason = needed(given, 'reason')
    const rules = texts(given, 'rule')
    const ids = given.positionals
    if (rules.length + ids.length === 0 && !isSet(given, 'all')) {
      throw new UsageError('say which findings: ids, --rule RULE, or --all')
    }
    const id = text(given, 'survey') ?? reports.surveys(1)[0]?.id
    if (id === undefined) throw new UsageError('there is no survey yet: diptych survey makes one')
    const wanted = { ...(rules.length === 0 ? {} : { rules }), ...(ids.length === 0 ? {} : { ids }) }
    const count = await surveys.mend(id, wanted, BY, reason)
    const open = () => reports.findings({ survey: id, state: 'asked', limit: 1 }).items.length > 0
    while (count > 0 && open() && !signal.aborted) await pause(LOOK_MS)
    for (const group of reports.report(id)) await emit({ json: group, text: groupText(group) })
    const failed = reports.report(id).reduce((sum, { states }) => sum + (states.failed ?? 0), 0)
    await emit({
      json: { summary: { survey: id, asked: count, failed } },
      text: `${count} findings of survey ${id} were asked for${failed > 0 ? `, ${failed} failed` : ''}`,
    })
    return failed > 0 ? 2 : 0
  },
}

async function tellFindings({ surveyReports: reports }: Archive, survey: string, emit: Emit): Promise<void> {
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: ReturnType<typeof reports.findings> = reports.findings({
      ...{ survey, limit: 500 },
      ...(cursor === '' ? {} : { cursor }),
    })
    for (const finding of page.items) {
      const { id, rule, effect, objectId, state, why } = finding
      await emit({
        json: finding,
        text: oneLine(`${id.padEnd(10)} ${state.padEnd(8)} ${rule} ${effect}  ${objectId}  ${why}`),
      })
    }
    cursor = page.next
  }
}

function groupText({ rule, effect, count, states, examples }: SurveyGroup): string {
  const told = Object.entries(states).map(([state, n]) => `${n} ${state}`)
  return oneLine(`${rule.padEnd(22)} ${effect.padEnd(12)} ${count}: ${told.join(', ')}; such as ${examples.join(', ')}`)
}
