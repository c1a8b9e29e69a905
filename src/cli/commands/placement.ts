import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { ArchiveError } from '#errors.ts'
import type { PlacementDecision, PlacementReader, PlacementState } from '#model/placement.ts'
import { undoPolicy } from '#operations/placement-policy.ts'
import { completed, policyFaults, RULES } from '#placement/policy.ts'
import { placementPolicy } from '#security/site-settings.ts'
import { type ArchiveCommand, action, needed, operand, text, UsageError, wholeNumber } from '../command.ts'
import { oneLine } from '../terminal.ts'

const ACTIONS = [
  'list',
  'show',
  'accept',
  'decline',
  'undo',
  'look',
  'label',
  'policy',
  'set-policy',
  'undo-policy',
  'dry-run',
] as const
const STATES: readonly PlacementState[] = ['proposed', 'acting', 'declined', 'undone', 'outdated']
const BY = 'local'

export const placementCommand: ArchiveCommand = {
  runs: 'in-owner',
  name: 'placement',
  needsData: true,
  summary: 'See where things belong and why; accept, decline or undo what rules say',
  operands:
    'list | show OBJECT | accept ID | decline ID | undo ID | look STUDY | label OBJECT RULE yes|no | policy | set-policy FILE | undo-policy | dry-run [FILE]',
  flags: {
    state: { type: 'string', value: 'STATE', about: `list: ${STATES.join(', ')} (default proposed)` },
    rule: { type: 'string', value: 'RULE', about: 'list: only of this rule' },
    limit: { type: 'string', value: 'N', about: 'at most so many (default 100)' },
    reason: { type: 'string', value: 'TEXT', about: 'why; needed to decline and to undo' },
  },
  more: 'dry-run says what a policy in a JSON file (without one: that in force) would change of what is stored.',
  operandCount: [1, 4],
  async run({ placement, placementDecisions: decisions, settings }, given, emit) {
    const what = action(given, ACTIONS)
    const limit = wholeNumber(given, 'limit', 100, 1)
    switch (what) {
      case 'list': {
        const state = (text(given, 'state') ?? 'proposed') as PlacementState
        if (!STATES.includes(state)) throw new UsageError(`--state is one of ${STATES.join(', ')}`)
        const rule = text(given, 'rule')
        const { items } = decisions.list({ state, limit, ...(rule === undefined ? {} : { rule }) })
        for (const item of items) await emit({ json: item, text: shortText(item) })
        if (items.length === 0) await emit({ note: `No placement decision is ${state}.` })
        return 0
      }
      case 'show': {
        const objectId = operand(given, 1, 'the object id')
        const history = decisions.ofObject(objectId)
        if (history.length === 0) await emit({ note: 'It stays as it came: no rule decided anything else.' })
        for (const item of history) await emit({ json: item, text: longText(item) })
        return 0
      }
      case 'accept': {
        const item = await placement.accept(operand(given, 1, 'the id of the decision'), BY)
        await emit({ json: item, text: shortText(item) })
        return 0
      }
      case 'decline':
      case 'undo': {
        const item = await placement[what](operand(given, 1, 'the id of the decision'), BY, needed(given, 'reason'))
        await emit({ json: item, text: shortText(item) })
        return 0
      }
      case 'look': {
        const studyInstanceUID = operand(given, 1, 'the Study Instance UID')
        await placement.evaluate({ studyInstanceUID })
        await emit({ json: { studyInstanceUID }, text: 'Looked at; what follows is done by jobs.' })
        return 0
      }
      case 'label': {
        const rule = operand(given, 2, 'the rule')
        const says = operand(given, 3, 'yes or no')
        if (says !== 'yes' && says !== 'no') throw new UsageError('say yes or no')
        await placement.label(operand(given, 1, 'the object id'), rule, says === 'yes', BY)
        const labels = decisions.labels(rule)
        await emit({ json: { rule, ...labels }, text: labelText(rule, labels) })
        return 0
      }
      case 'policy': {
        const policy = completed(settings.get('placement.policy'))
        for (const setting of policy.rules) {
          const sentence = RULES.find(({ id }) => id === setting.rule)?.policy ?? ''
          const how = setting.on ? setting.mode : 'off'
          const labels = decisions.labels(setting.rule)
          const told = labels.labelled === 0 ? '' : `\n${' '.repeat(32)}${labelText(setting.rule, labels)}`
          await emit({
            json: { ...setting, sentence, labels },
            text: `${oneLine(`${setting.rule.padEnd(22)} ${how.padEnd(8)} ${sentence}`)}${told}`,
          })
        }
        return 0
      }
      case 'set-policy': {
        const policy = policyOf(
          { ...given, positionals: [what, operand(given, 1, 'the file')] },
          settings.get('placement.policy'),
        )
        const [fault] = policyFaults(policy)
        if (fault !== undefined) throw new ArchiveError('request.malformed', `${fault.path}: ${fault.detail}`)
        await settings.change({ 'placement.policy': policy }, BY, null)
        await emit({
          json: policy,
          text: 'The policy is in force for what arrives from now on; survey finds what it would mend.',
        })
        return 0
      }
      case 'undo-policy': {
        const { policy, looked } = await undoPolicy(settings, placement, BY, null)
        await emit({
          json: { policy, looked },
          text: `The policy before is in force; ${looked} studies and documents are looked at again.`,
        })
        return 0
      }
      case 'dry-run': {
        const { changes, looked, more } = await placement.dryRun(
          policyOf(given, settings.get('placement.policy')),
          limit,
        )
        for (const change of changes) {
          const before = change.before === null ? 'as it came' : `${change.before.rule} ${change.before.effect}`
          const now =
            change.after === null ? 'as it came' : `${change.after.rule} ${change.after.effect} ${change.after.state}`
          await emit({ json: change, text: oneLine(`${change.objectId}  ${before} -> ${now}: ${change.why}`) })
        }
        const told = `${looked} objects looked at, ${changes.length}${more ? ' and more' : ''} would change; nothing was changed.`
        await emit({ json: { summary: { looked, changes: changes.length, more } }, text: told })
        return 0
      }
    }
  },
}

function policyOf(given: Parameters<ArchiveCommand['run']>[1], inForce: Parameters<typeof completed>[0]) {
  const file = given.positionals[1]
  if (file === undefined) return completed(inForce)
  let read: unknown
  try {
    read = JSON.parse(readFileSync(resolve(given.workingDirectory, file), 'utf8'))
  } catch (error) {
    throw new ArchiveError('request.malformed', `${file}: ${error instanceof Error ? error.message : String(error)}`)
  }
  const checked = placementPolicy.safeParse(read)
  if (checked.success) return completed(checked.data)
  const issue = checked.error.issues[0]
  throw new ArchiveError('request.malformed', `${file}: ${issue?.path.join('.')}: ${issue?.message}`)
}

function shortText({ id, objectId, state, placement, effect, why }: PlacementDecision): string {
  return oneLine(`${id.padEnd(10)} ${state.padEnd(9)} ${placement.rule} ${effect.do}  ${objectId}  ${why}`)
}

function longText(item: PlacementDecision): string {
  const { placement, effect, signs } = item
  const facts = Object.entries(placement.facts).filter(([, value]) => value !== null)
  const rows: [string, string][] = [
    ['decision', `${item.id}, ${item.state}, by ${item.by} at ${item.time}`],
    ['rule', `${placement.rule} (version ${placement.ruleVersion}): ${effect.do}`],
    ['why', item.why],
    ['place', `${placement.panel}, ${placement.form}`],
    ['facts', facts.map(([name, value]) => `${name} ${value}`).join(', ')],
    ['signs', signs.map(({ sign, weight }) => `${sign} (${weight})`).join(', ') || 'none needed'],
    ['otherwise', placement.alternatives.join(', ') || 'no other rule spoke'],
    ['made', item.made.join(', ') || 'nothing'],
  ]
  return rows.map(([name, value]) => oneLine(`${name.padEnd(10)} ${value}`)).join('\n')
}

function labelText(rule: string, labels: ReturnType<PlacementReader['labels']>): string {
  const { labelled, needed, precision, recall, right, wrong, missed, mayAct } = labels
  const share = (value: number | null) => (value === null ? 'unknown' : `${Math.round(value * 100)} %`)
  const counts = `${right} right, ${wrong} wrong, ${missed} missed`
  const does = mayAct
    ? 'acts by itself'
    : `proposes (acts from ${needed.labelled} labels and ${share(needed.precision)} precision on)`
  return `${rule}: ${labelled} labelled (${counts}), precision ${share(precision)}, recall ${share(recall)}; ${does}`
}
