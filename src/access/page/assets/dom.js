/**
 * Makes an element. Text always becomes a text node, so nothing that came from outside is ever read as markup.
 * @param {string} tag
 * @param {Record<string, unknown>} [properties] `on...` are listeners, `class` a class list, others attributes;
 *   `false`, `null` and `undefined` are left out
 * @param {...unknown} children
 * @returns {HTMLElement}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value)
    else if (name === 'value') element.value = value
    else element.setAttribute(name, value === true ? '' : String(value))
  }
  put(element, children)
  return element
}

/** @param {Element} element @param {unknown[]} children */
export function put(element, children) {
  for (const child of children.flat(Number.POSITIVE_INFINITY)) {
    if (child === null || child === undefined || child === false) continue
    element.append(child instanceof Node ? child : visible(String(child)))
  }
}

/** @param {Element} element @param {...unknown} children */
export function fill(element, ...children) {
  element.replaceChildren()
  put(element, children)
}

/** Control and direction characters of names from outside are shown, not obeyed. */
export function visible(text) {
  return text.replace(/\p{Cc}|\p{Bidi_Control}/gu, (character) => {
    if (character === '\n' || character === '\t') return character
    return `\u27e8${character.codePointAt(0).toString(16).padStart(4, '0')}\u27e9`
  })
}

const toast = document.getElementById('toast')
let toastTimer

/** Says something for a moment. */
export function say(text) {
  fill(toast, text)
  toast.hidden = false
  clearTimeout(toastTimer)
  toastTimer = setTimeout(() => {
    toast.hidden = true
  }, 5000)
}

/** What went wrong, with what to do about it. */
export function problem(error) {
  return h(
    'div',
    { class: 'problem', role: 'alert' },
    h('p', {}, h('strong', {}, error.message || 'Something failed.')),
    error.hint ? h('p', { class: 'small' }, error.hint) : null,
  )
}

/** Binary units, three digits. */
export function size(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

/** An instant, in the reader's own zone, as 2026-11-24 08:42:28: dates are written in one way on all pages. */
export function instant(iso) {
  if (!iso) return ''
  const date = new Date(iso)
  return Number.isNaN(date.getTime()) ? iso : `${date.toLocaleDateString('sv')} ${date.toLocaleTimeString('sv')}`
}

/** A DICOM date (DA) as 2024-03-31; anything else as it is. */
export function day(value) {
  return /^\d{8}$/.test(value ?? '') ? `${value.slice(0, 4)}-${value.slice(4, 6)}-${value.slice(6)}` : (value ?? '')
}

/** A person name (PN) for reading: `Doe^Jane` as `Doe, Jane`. */
export function person(text) {
  if (!text) return ''
  return text
    .split('=')
    .filter((group) => group !== '')
    .map((group) => {
      const [family = '', given = '', middle = '', prefix = '', suffix = ''] = group.split('^')
      const rest = [prefix, given, middle, suffix].filter((part) => part !== '').join(' ')
      return [family, rest].filter((part) => part !== '').join(', ')
    })
    .join(' \u00b7 ')
}

/** A table whose rows can be opened by click and by keyboard (each has a link). */
export function table(columns, rows) {
  return h(
    'div',
    { class: 'scroll' },
    h(
      'table',
      {},
      h('thead', {}, h('tr', {}, ...columns.map(({ title, kind }) => h('th', { scope: 'col', class: kind }, title)))),
      h(
        'tbody',
        {},
        ...rows.map((row) =>
          h(
            'tr',
            { class: row.href ? 'go' : null, onclick: row.href ? (event) => open(event, row.href) : null },
            ...row.cells.map((cell, index) => h('td', { class: columns[index].kind }, cell)),
          ),
        ),
      ),
    ),
  )
}

/**
 * A list that grows by pages, in `box`.
 * @param {(shown: unknown[]) => unknown} view draws all that is shown
 * @param {(next: unknown, shown: number) => Promise<{ items: unknown[], next: unknown }>} follow gives the next page
 */
export function growing(box, first, place, view, follow) {
  const shown = []
  const draw = ({ items, next }) => {
    shown.push(...items)
    const more = async () => {
      try {
        const page = await follow(next, shown.length)
        if (place.current()) draw(page)
      } catch (error) {
        fill(box, problem(error))
      }
    }
    fill(
      box,
      view(shown),
      next ? h('div', { class: 'more' }, h('button', { type: 'button', onclick: more }, 'Show more')) : null,
    )
  }
  draw(first)
}

/** Who gave a number. What was derived because nobody was named is no name: only that it is none is told. */
export function issued(issuer) {
  return issuer.startsWith('assumed:') ? `issuer not named, ${issuer.slice(-4)}` : issuer
}

function open(event, href) {
  if (event.target.closest('a, button') === null && String(getSelection()) === '') location.hash = href
}
