import { ask } from './api.js'
import { fill, h, instant, problem, say, table } from './dom.js'
import { policyCard, surveyCard } from './placement-policy.js'
import { may } from './session.js'
import { facts } from './study.js'

/** What of the decisions each tab lists. */
const TABS = {
  proposed: { title: 'Suggestions', query: 'state=proposed' },
  acting: { title: 'In force', query: 'state=acting' },
  'ask-for': { title: 'To ask for', query: 'state=acting&effect=ask-for' },
  declined: { title: 'Declined', query: 'state=declined' },
  undone: { title: 'Undone', query: 'state=undone' },
  policy: { title: 'Policy' },
  survey: { title: 'Survey' },
}
const CHIP = { proposed: 'warn', acting: 'good', declined: '', undone: '', outdated: '' }
const STATE = {
  proposed: 'waits for you',
  acting: 'in force',
  declined: 'declined',
  undone: 'undone',
  outdated: 'facts changed',
}
const EFFECT = {
  stay: 'stays where it is',
  encapsulate: 'shown with the images of its study',
  unwrap: 'its native bytes become a document',
  'to-document': 'becomes a document',
  rendition: 'folded under its original',
  'waveform-face': 'gets a DICOM waveform',
  paper: 'scans become one PDF document',
  pointer: 'pointer to another system',
  'ask-for': 'the original is to be asked for',
  version: 'takes the place of an earlier report',
}

/** Where things belong and why: what rules suggest, and what they did. */
export async function placementPage(main, place) {
  const tab = place.rest[0] in TABS ? place.rest[0] : 'proposed'
  const box = h('div', {})
  fill(
    main,
    h(
      'div',
      { class: 'head' },
      h('h1', {}, 'Image or document'),
      h('p', { class: 'quiet' }, 'Rules say where things belong. Each tells why, and each can be taken back.'),
    ),
    h(
      'div',
      { class: 'tabs' },
      Object.entries(TABS).map(([name, { title }]) =>
        h('a', { href: `#/placement/${name}`, 'aria-current': name === tab ? 'true' : null }, title),
      ),
    ),
    box,
  )
  if (tab === 'policy') return policyCard(box, place)
  if (tab === 'survey') return surveyCard(box, place)
  await listed(box, place, TABS[tab])
}

async function listed(box, place, { query }) {
  const shown = []
  const page = async (cursor) => {
    const path = `/api/v1/placement?${query}&limit=100${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`
    const { items, next } = await ask(path)
    if (!place.current()) return
    shown.push(...items)
    const more = () => page(next).catch((error) => fill(box, problem(error)))
    fill(
      box,
      h(
        'section',
        { class: 'card flush' },
        shown.length === 0
          ? h(
              'div',
              { class: 'empty' },
              h('h2', {}, 'Nothing here'),
              h('p', {}, 'Rules look again whenever something arrives.'),
            )
          : table(
              [
                { title: 'What' },
                { title: 'Why' },
                { title: 'Rule' },
                { title: 'Sure', kind: 'number' },
                { title: '' },
              ],
              shown.map(decisionRow),
            ),
        next ? h('div', { class: 'more' }, h('button', { type: 'button', onclick: more }, 'Show more')) : null,
      ),
    )
  }
  await page(null)
}

function decisionRow(item) {
  const href = `#/placed/${encodeURIComponent(item.objectId)}`
  const { facts: seen, rule } = item.placement
  const what = seen.title || seen.seriesDescription || seen.modality || seen.kind || 'Object'
  return {
    href,
    cells: [
      [h('a', { href }, what), h('div', { class: 'quiet small' }, EFFECT[item.effect.do] ?? item.effect.do)],
      item.why,
      h('span', { class: 'nowrap' }, rule),
      `${Math.round(item.score * 100)} %`,
      h('span', { class: `chip ${CHIP[item.state]}` }, STATE[item.state]),
    ],
  }
}

/** Why one object is where it is: every decision about it, newest first. */
export async function placedPage(main, place) {
  const objectId = place.rest[0] ?? ''
  const [{ items }, where] = await Promise.all([
    ask(`/api/v1/placement?object=${encodeURIComponent(objectId)}`),
    ask(`/api/v1/objects/${encodeURIComponent(objectId)}/placement`).catch((error) => {
      if (error.status === 404 || error.status === 403) return null
      throw error
    }),
  ])
  if (!place.current()) return
  const again = () => placedPage(main, place)
  const [newest] = items
  fill(
    main,
    h('p', { class: 'crumbs' }, h('a', { href: '#/placement' }, 'Image or document')),
    h(
      'div',
      { class: 'head' },
      h('h1', {}, 'Why is this here?'),
      h('p', { class: 'quiet mono' }, objectId),
      where === null ? null : h('a', { class: 'button', href: `#/object/${objectId}` }, 'Open the object'),
    ),
    h(
      'div',
      { class: 'two narrowable' },
      h(
        'div',
        {},
        items.length === 0
          ? h(
              'section',
              { class: 'card' },
              h('h2', {}, 'It stays as it came'),
              h('p', {}, 'No rule decided anything else.'),
            )
          : items.map(decisionCard),
      ),
      h(
        'div',
        {},
        where === null
          ? h('section', { class: 'card' }, h('p', {}, 'It is in no panel now: hidden by a decision, or deleted.'))
          : h(
              'section',
              { class: 'card' },
              h('h2', {}, 'Place'),
              h(
                'dl',
                { class: 'facts' },
                facts([
                  ['Panel', where.panel],
                  ['Form', where.form],
                  ['Rule', where.rule],
                ]),
              ),
            ),
        newest === undefined || !may('placement.decide') ? null : decideCard(newest, again),
        newest === undefined || !may('placement.decide') ? null : labelCard(newest, again),
      ),
    ),
  )
}

function decisionCard(item) {
  const { placement, effect, signs, made } = item
  const seen = Object.entries(placement.facts).filter(([, value]) => value !== null && value !== '')
  return h(
    'section',
    { class: 'card' },
    h(
      'h2',
      {},
      EFFECT[effect.do] ?? effect.do,
      ' ',
      h('span', { class: `chip ${CHIP[item.state]}` }, STATE[item.state]),
    ),
    h('p', {}, item.why),
    h(
      'dl',
      { class: 'facts' },
      facts([
        ['Rule', `${placement.rule}, version ${placement.ruleVersion}`],
        ['Panel and form', `${placement.panel}, ${placement.form}`],
        ['Decided', `${item.by}, ${instant(item.time)}`],
        ['Signs', signs.map(({ sign, weight }) => `${sign} (${weight > 0 ? '+' : ''}${weight})`).join('; ')],
        ['Saw', seen.map(([name, value]) => `${name} ${value}`).join('; ')],
        ['Otherwise', placement.alternatives.join(', ')],
        ['Study', item.studyInstanceUID === null ? '' : studyLink(item.studyInstanceUID)],
        ['Made', made.length === 0 ? '' : h('span', { class: 'mono small' }, made.join(', '))],
      ]),
    ),
  )
}

function studyLink(uid) {
  return h('a', { class: 'mono small', href: `#/study/${uid}` }, uid)
}

function decideCard(item, again) {
  const buttons =
    item.state === 'proposed'
      ? [
          ['accept', 'Accept', 'What the rule says is done now.'],
          ['decline', 'Decline', 'It is not suggested again for the same facts.'],
        ]
      : item.state === 'acting' && item.effect.do !== 'stay'
        ? [['undo', 'Take it back', 'Everything reads as before.']]
        : []
  if (buttons.length === 0) return null
  const told = h('div', {})
  const reason = h('textarea', { name: 'reason', maxlength: 2000 })
  const act = async (button, what) => {
    if (what !== 'accept' && reason.value.trim() === '') {
      fill(told, problem(new Error('Say why first: the reason is kept with the decision.')))
      reason.focus()
      return
    }
    button.disabled = true
    try {
      const json = what === 'accept' ? {} : { reason: reason.value.trim() }
      await ask(`/api/v1/placement/${encodeURIComponent(item.id)}/${what}`, { method: 'POST', json })
      say({ accept: 'Accepted.', decline: 'Declined.', undo: 'Taken back.' }[what])
      await again()
    } catch (error) {
      fill(told, problem(error))
      button.disabled = false
    }
  }
  return h(
    'section',
    { class: 'card' },
    h('h2', {}, 'Decide'),
    told,
    h('label', {}, 'Reason', reason),
    h(
      'div',
      { class: 'choice' },
      buttons.map(([what, title, hint]) => {
        const button = h('button', { type: 'button', onclick: () => act(button, what) }, title, h('span', {}, hint))
        return button
      }),
    ),
  )
}

/** Samples by which a recogniser earns the right to act. */
function labelCard(item, again) {
  if (item.signs.length === 0) return null
  const told = h('div', {})
  const label = async (is) => {
    try {
      const json = { object: item.objectId, rule: item.placement.rule, is }
      const { labelled, needed, mayAct } = await ask('/api/v1/placement/labels', { method: 'POST', json })
      say(mayAct ? 'Noted. The rule acts by itself.' : `Noted: ${labelled} of ${needed.labelled} samples.`)
      await again()
    } catch (error) {
      fill(told, problem(error))
    }
  }
  return h(
    'section',
    { class: 'card' },
    h('h2', {}, 'Was the rule right?'),
    h(
      'p',
      { class: 'quiet small' },
      'A rule that rests on signs acts by itself once enough of your own samples say so.',
    ),
    told,
    h(
      'div',
      { class: 'row' },
      h('button', { type: 'button', onclick: () => label(true) }, 'Yes, it is one'),
      h('button', { type: 'button', onclick: () => label(false) }, 'No, it is not'),
    ),
  )
}
