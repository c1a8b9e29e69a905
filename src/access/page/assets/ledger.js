import { ask } from './api.js'
import { fill, h, instant, issued, problem } from './dom.js'
import { may } from './session.js'

/** A number with who gave it. */
export function shown({ identifier, id, issuer }) {
  return `${identifier ?? id} (${issued(issuer)})`
}

/**
 * What was decided, newest first, each with the way back.
 * @param {boolean} more there are older ones
 * @param {(text: string) => Promise<void>} again draws the page anew
 */
export function ledgerCard(entries, more, again) {
  if (entries.length === 0) return null
  const told = h('div', {})
  return h(
    'section',
    { class: 'card' },
    h('h2', {}, 'What was decided'),
    told,
    h(
      'ul',
      { class: 'findings' },
      entries.map((entry) => {
        const { cause, decision, time, undoneBy } = entry
        return h(
          'li',
          {},
          h('span', { class: `chip ${undoneBy === null ? 'good' : ''}` }, WORDS[decision.do] ?? decision.do),
          ` ${sentence(decision)} `,
          undoneBy === null ? null : h('span', { class: 'quiet' }, '(taken back) '),
          h(
            'div',
            { class: 'quiet small' },
            [`${instant(time)} by ${cause.by}`, cause.rule, cause.reason].filter(Boolean).join(' \u00b7 '),
          ),
          undoneBy === null && CAN_UNDO.has(decision.do) && may('identity.decide') ? undo(entry, told, again) : null,
        )
      }),
    ),
    more ? h('p', { class: 'quiet small' }, 'Older decisions: diptych patient history') : null,
  )
}

const WORDS = {
  register: 'Registered',
  merge: 'Merged',
  link: 'Linked',
  assign: 'Assigned',
  overlay: 'Corrected',
  order: 'Ordered',
  perform: 'Performed',
  undo: 'Taken back',
}
const CAN_UNDO = new Set(['merge', 'link', 'assign', 'overlay'])

function sentence(decision) {
  switch (decision.do) {
    case 'merge':
      return `${shown(decision.from)} into ${shown(decision.into)}`
    case 'link':
      return `${shown(decision.a)} and ${shown(decision.b)}`
    case 'register':
      return `${shown(decision.patient)}${decision.visit ? `, visit ${decision.visit.admissionId}` : ''}`
    case 'order':
      return [decision.order.accessionNumber, decision.order.description, decision.order.status]
        .filter(Boolean)
        .join(', ')
    case 'perform':
      return `procedure step ${decision.step.sopInstanceUID}, ${decision.step.status.toLowerCase()}`
    case 'assign':
      return `study ${decision.studyInstanceUID} to ${shown(decision.patient)}`
    case 'overlay':
      return decision.changes
        .map(({ path, values }) => `${path === '00100010' ? 'name' : path} is now ${values?.join(', ') || 'empty'}`)
        .join('; ')
    case 'undo':
      return `entry ${decision.entry}`
    default:
      return ''
  }
}

function undo(entry, told, again) {
  const askWhy = () => {
    const reason = h('input', {
      name: 'reason',
      required: true,
      maxlength: 2000,
      placeholder: 'Why',
      'aria-label': 'Why',
    })
    const form = h(
      'form',
      {
        class: 'row',
        onsubmit: (event) => {
          event.preventDefault()
          send(`/api/v1/ledger/${encodeURIComponent(entry.id)}/undo`, { reason: reason.value }, told, () =>
            again('Taken back.'),
          )
        },
      },
      reason,
      h('button', { type: 'submit' }, 'Take back'),
    )
    button.replaceWith(form)
    reason.focus()
  }
  const button = h('button', { type: 'button', class: 'link', onclick: askWhy }, 'Undo')
  return button
}

/** Sends a decision; says what went wrong where `told` is. */
export async function send(path, json, told, done) {
  if (json.reason.trim() === '') {
    fill(told, problem(new Error('Say why first: the reason is kept with the decision.')))
    return
  }
  try {
    await ask(path, { method: 'POST', json: { ...json, reason: json.reason.trim() } })
    await done()
  } catch (error) {
    fill(told, problem(error))
  }
}
