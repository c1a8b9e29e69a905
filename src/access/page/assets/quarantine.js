import { ask } from './api.js'
import { fill, growing, h, instant, person, problem, say, size, table } from './dom.js'
import { findingList } from './object.js'
import { may } from './session.js'
import { facts } from './study.js'

const STATES = { held: 'Held', released: 'Released', discarded: 'Discarded' }

/** What is held and why. */
export async function quarantinePage(main, place) {
  const state = place.rest[0] && place.rest[0] in STATES ? place.rest[0] : 'held'
  const page = await ask(`/api/v1/quarantine?state=${state}&limit=100`)
  if (!place.current()) return
  const box = h('section', { class: 'card flush' })
  const view = (shown) => (shown.length === 0 ? nothing(state) : table(COLUMNS, shown.map(heldRow)))
  growing(box, page, place, view, (next) =>
    ask(`/api/v1/quarantine?state=${state}&limit=100&cursor=${encodeURIComponent(next)}`),
  )
  fill(
    main,
    h(
      'div',
      { class: 'head' },
      h('h1', {}, 'Quarantine'),
      h(
        'p',
        { class: 'quiet' },
        'Outside the archive: not searchable, not retrievable, encrypted, until a person decides.',
      ),
      h(
        'div',
        { class: 'tabs' },
        Object.entries(STATES).map(([name, title]) =>
          h('a', { href: `#/quarantine/${name}`, 'aria-current': name === state ? 'true' : null }, title),
        ),
      ),
    ),
    box,
  )
}

function nothing(state) {
  return h(
    'div',
    { class: 'empty' },
    h('h2', {}, state === 'held' ? 'Nothing is waiting' : `Nothing was ${state}`),
    h(
      'p',
      {},
      state === 'held'
        ? 'Files that look like a disguise, contradict themselves or clash with what is kept will appear here with the reason.'
        : 'Decisions stay listed here with who made them, when and why.',
    ),
  )
}

const COLUMNS = [
  { title: 'Arrived' },
  { title: 'Why' },
  { title: 'Patient' },
  { title: 'From' },
  { title: 'Size', kind: 'number' },
]

function heldRow(item) {
  const href = `#/held/${encodeURIComponent(item.id)}`
  const worst = item.findings.find(({ severity }) => severity !== 'info' && severity !== 'warning') ?? item.findings[0]
  return {
    href,
    cells: [
      [
        h('a', { href }, instant(item.arrivedAt)),
        item.arrivals > 1 ? h('div', { class: 'quiet small' }, `${item.arrivals} times`) : null,
      ],
      worst ? [h('span', { class: 'chip bad' }, worst.rule), ` ${worst.detail}`] : '',
      item.patient
        ? [person(item.patient.name), h('div', { class: 'quiet small' }, item.patient.id ?? '')]
        : h('span', { class: 'quiet' }, '\u2013'),
      [item.door, item.peer ? h('div', { class: 'quiet small' }, item.peer) : null],
      size(item.size),
    ],
  }
}

const DECISIONS = [
  ['release', 'Release', 'Keep it as it is. The wrapper is ours; clinical content is unchanged.', ''],
  ['sanitise', 'Sanitise', 'Remove what was found, keep the rest. Recorded.', ''],
  ['discard', 'Discard', 'Never let it in. The original goes after its retention time.', 'danger'],
]

/** One held file: what is known of it, and the decision. */
export async function heldPage(main, place) {
  const [id] = place.rest
  const item = await ask(`/api/v1/quarantine/${encodeURIComponent(id)}`)
  if (place.current()) drawHeld(main, item)
}

function drawHeld(main, item) {
  fill(
    main,
    h('p', { class: 'crumbs' }, h('a', { href: `#/quarantine/${item.state}` }, 'Quarantine')),
    h('div', { class: 'head' }, h('h1', {}, `${STATES[item.state]} file`), h('p', { class: 'quiet mono' }, item.id)),
    h(
      'div',
      { class: 'two' },
      h(
        'div',
        {},
        h('section', { class: 'card' }, h('h2', {}, 'Why it is held'), findingList(item.findings)),
        h(
          'section',
          { class: 'card' },
          h('h2', {}, 'First 128 bytes'),
          h(
            'pre',
            { class: 'hex', tabindex: '0', 'aria-label': 'Hexadecimal preview of the preamble' },
            hexView(item.preambleHex),
          ),
        ),
      ),
      h(
        'div',
        {},
        decisionCard(main, item),
        h(
          'section',
          { class: 'card' },
          h('h2', {}, 'The file'),
          h(
            'dl',
            { class: 'facts' },
            facts([
              ['Arrived', instant(item.arrivedAt)],
              ['Door', [item.door, item.peer].filter(Boolean).join(' from ')],
              ['Arrivals', String(item.arrivals)],
              ['Size', size(item.size)],
              [
                'Patient',
                item.patient ? [person(item.patient.name), item.patient.id].filter(Boolean).join(' \u00b7 ') : '',
              ],
              ['Virus scan', [item.scan.status, item.scan.engine].filter(Boolean).join(', ')],
              ['SOP Instance UID', item.sopInstanceUid ? h('span', { class: 'mono' }, item.sopInstanceUid) : ''],
              ['SHA-256', h('span', { class: 'mono' }, item.sha256)],
            ]),
          ),
        ),
      ),
    ),
  )
}

function decisionCard(main, item) {
  const { decision } = item
  if (decision !== null) {
    return h(
      'section',
      { class: 'card' },
      h('h2', {}, 'Decision'),
      h('p', {}, h('strong', {}, decision.action), ` by ${decision.by}, ${instant(decision.time)}`),
      h('p', { class: 'quiet' }, decision.reason),
      decision.objectId ? h('a', { href: `#/object/${decision.objectId}` }, 'The object in the archive') : null,
    )
  }
  if (!may('quarantine.decide')) return null
  const told = h('div', {})
  const reason = h('textarea', { name: 'reason', required: true, maxlength: 2000, 'aria-describedby': 'reason-hint' })
  const decide = async (action, button) => {
    if (reason.value.trim() === '') {
      fill(told, problem(new Error('Say why first: the reason is kept with the decision.')))
      reason.focus()
      return
    }
    button.disabled = true
    try {
      const path = `/api/v1/quarantine/${encodeURIComponent(item.id)}/${action}`
      const decided = await ask(path, { method: 'POST', json: { reason: reason.value.trim() } })
      say(`${STATES[decided.state]}.`)
      drawHeld(main, decided)
    } catch (error) {
      fill(told, problem(error))
      button.disabled = false
    }
  }
  return h(
    'section',
    { class: 'card' },
    h('h2', {}, 'Decide'),
    joinNote(item),
    told,
    h('label', {}, 'Reason', reason),
    h('p', { class: 'quiet small', id: 'reason-hint' }, 'Kept with the decision and in the audit trail.'),
    h(
      'div',
      { class: 'choice' },
      DECISIONS.map(([action, title, about, kind]) => {
        const button = h(
          'button',
          { type: 'button', class: kind, onclick: () => decide(action, button) },
          title,
          h('span', {}, about),
        )
        return button
      }),
    ),
  )
}

/** What a release does besides letting it in. */
function joinNote({ joins }) {
  if (!joins) return null
  const whose = [person(joins.patient.name), joins.patient.id].filter(Boolean).join(' \u00b7 ')
  return h(
    'p',
    { class: 'note' },
    `Its study is kept under another patient. Released, it becomes part of that study and is shown as ${whose}; `,
    'what it says itself is recorded, and the decision can be taken back on the page of the study.',
  )
}

/** Sixteen bytes a line: offset, hexadecimal, printable characters. */
function hexView(hex) {
  const bytes = (hex.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16))
  const lines = []
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.slice(at, at + 16)
    const codes = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
    const characters = row.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '\u00b7')).join('')
    lines.push(`${at.toString(16).padStart(4, '0')}  ${codes.padEnd(47)}  ${characters}`)
  }
  return lines.join('\n')
}
