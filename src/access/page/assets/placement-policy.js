import { ask } from './api.js'
import { fill, h, instant, problem, say, table } from './dom.js'
import { may } from './session.js'

/** The rules in their order, how each did on the samples of this site, and what a policy would change. */
export async function policyCard(box, place) {
  const [{ rules, documentSystem, isDefault }, versions] = await Promise.all([
    ask('/api/v1/placement/policy'),
    ask('/api/v1/placement/policy/versions'),
  ])
  if (!place.current()) return
  const told = h('div', {})
  const sets = may('settings.write')
  const put = async (changed, said) => {
    try {
      await ask('/api/v1/placement/policy', { method: 'PUT', json: { rules: changed.map(setting), documentSystem } })
      say(said)
      await policyCard(box, place)
    } catch (error) {
      fill(told, problem(error))
    }
  }
  const change = (rule, more) => rules.map((one) => (one === rule ? { ...one, ...more } : one))
  const dryRun = async (button) => {
    button.disabled = true
    try {
      const { looked, changes, more } = await ask('/api/v1/placement/dry-run', { method: 'POST', json: { limit: 50 } })
      fill(told, dryRunTable(looked, changes, more))
    } catch (error) {
      fill(told, problem(error))
    }
    button.disabled = false
  }
  const takeBack = async () => {
    try {
      const { looked } = await ask('/api/v1/placement/policy/undo', { method: 'POST', json: {} })
      say(`The policy before is in force; ${looked} studies and documents are looked at again.`)
      await policyCard(box, place)
    } catch (error) {
      fill(told, problem(error))
    }
  }
  const tryIt = h('button', { type: 'button', onclick: () => dryRun(tryIt) }, 'Try it on what is stored')
  const [last] = versions.items
  fill(
    box,
    h(
      'section',
      { class: 'card flush' },
      table(
        [{ title: 'Rule' }, { title: 'Samples of this site' }, { title: 'Is' }, { title: '' }],
        rules.map((rule) => ({
          cells: [
            [
              h('strong', {}, rule.rule),
              scope(rule),
              h('div', { class: 'small' }, rule.sentence),
              h('div', { class: 'quiet small' }, rule.why),
            ],
            samples(rule),
            how(rule),
            sets && rule.rule !== 'as-it-came' ? switches(rule, change, put) : null,
          ],
        })),
      ),
    ),
    h(
      'section',
      { class: 'card' },
      h(
        'p',
        { class: 'quiet' },
        isDefault ? 'This is the default policy.' : `Set by ${last?.by ?? 'somebody'}, ${instant(last?.time)}.`,
        documentSystem === null ? '' : ` Scanned documents belong to ${documentSystem}.`,
        ' A change is for what arrives from now on; a survey finds what it would mend.',
      ),
      h(
        'div',
        { class: 'row' },
        tryIt,
        sets && last !== undefined
          ? h('button', { type: 'button', onclick: takeBack }, 'Take the last change back')
          : null,
      ),
    ),
    told,
  )
}

/** A rule as it is set, without what is only told about it. */
function setting({ rule, on, mode, threshold, parameters, departments, originators }) {
  return { rule, on, mode, threshold, parameters, departments, originators }
}

function scope({ departments, originators }) {
  const only = [...departments, ...originators]
  return only.length === 0 ? null : h('span', { class: 'chip' }, `only ${only.join(', ')}`)
}

function samples({ rests, labels }) {
  if (rests === 'structure') return h('span', { class: 'quiet' }, 'rests on structure')
  const share = (value) => (value === null ? '\u2013' : `${Math.round(value * 100)} %`)
  return [
    `${labels.labelled} of ${labels.needed.labelled}`,
    h('div', { class: 'quiet small' }, `precision ${share(labels.precision)}, recall ${share(labels.recall)}`),
  ]
}

function how({ on, mode, rests, labels }) {
  if (!on) return h('span', { class: 'chip bad' }, 'off')
  const acts = mode === 'act' && (rests === 'structure' || labels.mayAct)
  return h('span', { class: `chip ${acts ? 'good' : 'warn'}` }, acts ? 'acts' : 'proposes')
}

function switches(rule, change, put) {
  const other = rule.mode === 'act' ? 'propose' : 'act'
  return h(
    'div',
    { class: 'row nowrap' },
    h(
      'button',
      {
        type: 'button',
        onclick: () => put(change(rule, { on: !rule.on }), `${rule.rule} is ${rule.on ? 'off' : 'on'}.`),
      },
      rule.on ? 'Switch off' : 'Switch on',
    ),
    rule.on
      ? h(
          'button',
          { type: 'button', onclick: () => put(change(rule, { mode: other }), `${rule.rule} is set.`) },
          other === 'act' ? 'Let it act' : 'Only propose',
        )
      : null,
  )
}

function dryRunTable(looked, changes, more) {
  const word = (state) => (state === null ? 'as it came' : `${state.rule}: ${state.effect}`)
  return h(
    'section',
    { class: 'card flush' },
    h(
      'p',
      { class: 'more' },
      `${looked} looked at; ${more ? 'more than ' : ''}${changes.length} would change. Nothing was changed.`,
    ),
    changes.length === 0
      ? null
      : table(
          [{ title: 'Object' }, { title: 'Now' }, { title: 'Would be' }, { title: 'Why' }],
          changes.map(({ objectId, before, after, why }) => ({
            href: `#/placed/${objectId}`,
            cells: [
              h('a', { class: 'mono small', href: `#/placed/${objectId}` }, objectId.slice(0, 12)),
              word(before),
              after === null ? 'as it came' : `${word(after)}${after.state === 'proposed' ? ' (asks)' : ''}`,
              why,
            ],
          })),
        ),
  )
}

/** What is stored otherwise than the policy says. */
export async function surveyCard(box, place) {
  const { items } = await ask('/api/v1/surveys')
  const [newest] = items
  const survey = newest === undefined ? null : await ask(`/api/v1/surveys/${newest.id}`)
  if (!place.current()) return
  const told = h('div', {})
  const post = async (path, json, said) => {
    try {
      await ask(path, { method: 'POST', json })
      say(said)
      await surveyCard(box, place)
    } catch (error) {
      fill(told, problem(error))
    }
  }
  const reason = h('textarea', { name: 'reason', maxlength: 2000 })
  const mend = (rule) => {
    if (reason.value.trim() === '') {
      fill(told, problem(new Error('Say why first: the reason is kept with the decision.')))
      reason.focus()
      return undefined
    }
    return post(`/api/v1/surveys/${survey.id}/mend`, { rules: [rule], reason: reason.value.trim() }, 'Under way.')
  }
  const running = survey?.state === 'running'
  fill(
    box,
    h(
      'section',
      { class: 'card' },
      h('h2', {}, survey === null ? 'No survey yet' : running ? 'Looking' : `Survey of ${instant(survey.startedAt)}`),
      h(
        'p',
        { class: 'quiet' },
        survey === null
          ? 'A survey asks every rule about everything that is stored, and changes nothing.'
          : `${survey.looked} of ${survey.total} studies and documents, ${survey.objects} objects, ${survey.findings} findings.`,
      ),
      running ? h('progress', { max: Math.max(1, survey.total), value: survey.looked }) : null,
      told,
      survey === null || running || survey.findings === 0 ? null : h('label', {}, 'Reason for mending', reason),
      h(
        'div',
        { class: 'row' },
        running
          ? h(
              'button',
              { type: 'button', onclick: () => post(`/api/v1/surveys/${survey.id}/cancel`, {}, 'Ended.') },
              'End it',
            )
          : h(
              'button',
              { type: 'button', class: 'primary', onclick: () => post('/api/v1/surveys', {}, 'Under way.') },
              'Look now',
            ),
      ),
    ),
    survey === null || survey.groups.length === 0 ? null : groupsCard(survey.groups, running ? null : mend),
  )
  const busy = running || survey?.groups.some(({ states }) => states.asked > 0)
  if (busy)
    setTimeout(() => place.current() && surveyCard(box, place).catch((error) => fill(told, problem(error))), 1000)
}

function groupsCard(groups, mend) {
  return h(
    'section',
    { class: 'card flush' },
    table(
      [{ title: 'Rule' }, { title: 'Found', kind: 'number' }, { title: 'State' }, { title: 'Such as' }, { title: '' }],
      groups.map(({ rule, effect, count, states, examples }) => ({
        cells: [
          [rule, h('div', { class: 'quiet small' }, effect)],
          String(count),
          Object.entries(states).map(([state, n]) =>
            h('span', { class: `chip ${STATES[state] ?? ''}` }, `${n} ${state}`),
          ),
          examples
            .slice(0, 3)
            .map((id) => h('div', {}, h('a', { class: 'mono small', href: `#/placed/${id}` }, id.slice(0, 12)))),
          mend !== null && states.waiting > 0 && effect !== 'ask-for'
            ? h('button', { type: 'button', onclick: () => mend(rule) }, 'Mend these')
            : null,
        ],
      })),
    ),
  )
}

const STATES = { waiting: 'warn', asked: 'warn', mended: 'good', done: 'good', failed: 'bad' }
