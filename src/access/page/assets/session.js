import { ask, useCsrf } from './api.js'
import { fill, h, problem, say } from './dom.js'

/** Who is signed in here. */
export const session = { subject: null, permissions: [], setupNeeded: false, site: 'Diptych' }

/** Names the page in the window's title, with the archive it belongs to. */
export function entitle(page) {
  document.title = `${page} \u00b7 ${session.site}`
}

/** Asks who we are: a cookie of an earlier visit, or open mode. */
export async function startSession() {
  const answer = await ask('/api/v1/session')
  session.subject =
    answer.subject === null
      ? null
      : { ...answer.subject, displayName: answer.account?.displayName ?? answer.subject.name }
  session.permissions = answer.permissions
  session.setupNeeded = answer.setupNeeded
  session.site = answer.site
  useCsrf(answer.csrf)
}

/** True when the role includes a right, as far as the server told; the server decides anyway. */
export function may(permission) {
  return session.permissions.includes(permission)
}

export function accountMenu() {
  const { name, displayName, role, kind } = session.subject
  if (kind === 'open') return null
  const out = async () => {
    try {
      await ask('/api/v1/session', { method: 'DELETE' })
    } catch (error) {
      say(error.message)
    }
    useCsrf(null)
    session.subject = null
    location.hash = '#/'
    dispatchEvent(new Event('signed-in'))
  }
  return [
    h('span', {}, displayName || name, h('span', { class: 'quiet' }, ` \u00b7 ${role}`)),
    h('button', { type: 'button', onclick: out }, 'Sign out'),
  ]
}

export function signInPage(main) {
  entitle('Sign in')
  const told = h('div', {})
  const name = h('input', { name: 'username', autocomplete: 'username', required: true, autocapitalize: 'none' })
  const password = h('input', { name: 'password', type: 'password', autocomplete: 'current-password', required: true })
  const button = h('button', { class: 'primary', type: 'submit' }, 'Sign in')
  const submit = async (event) => {
    event.preventDefault()
    button.disabled = true
    try {
      const json = { name: name.value.trim(), password: password.value }
      await ask('/api/v1/session', { method: 'POST', json })
      await startSession()
      dispatchEvent(new Event('signed-in'))
    } catch (error) {
      fill(told, problem(error))
      password.value = ''
      password.focus()
    } finally {
      button.disabled = false
    }
  }
  fill(
    main,
    h(
      'section',
      { class: 'card narrow' },
      h('h1', {}, 'Sign in'),
      h('p', { class: 'quiet' }, 'With the account your administrator made for you.'),
      told,
      h(
        'form',
        { class: 'stack', onsubmit: submit },
        h('label', {}, 'Account', name),
        h('label', {}, 'Password', password),
        button,
      ),
      h(
        'p',
        { class: 'quiet small' },
        'No account yet? The archive prints a set-up link when it starts: open it to make the first one.',
      ),
    ),
  )
  name.focus()
}

export function setupPage(main, place) {
  entitle('Set up')
  const told = h('div', {})
  const field = (title, attributes, hint) => {
    const input = h('input', { required: true, ...attributes })
    return [input, h('label', {}, title, input, hint ? h('span', { class: 'small' }, hint) : null)]
  }
  const [token, tokenLabel] = field(
    'Set-up code',
    { name: 'token', autocomplete: 'off' },
    'From the link the archive printed.',
  )
  token.value = place.rest[0] ?? place.query.get('token') ?? ''
  const [name, nameLabel] = field('Account', { name: 'username', autocomplete: 'username', autocapitalize: 'none' })
  const [password, passwordLabel] = field(
    'Password',
    { name: 'password', type: 'password', autocomplete: 'new-password', minlength: 12 },
    'At least 12 characters; a few unrelated words are easy to keep in mind.',
  )
  const [again, againLabel] = field('Password again', { type: 'password', autocomplete: 'new-password' })
  tokenLabel.hidden = token.value !== ''
  const button = h('button', { class: 'primary', type: 'submit' }, 'Create the administrator')
  const submit = async (event) => {
    event.preventDefault()
    if (password.value !== again.value) {
      fill(told, problem(new Error('The two passwords differ.')))
      return
    }
    button.disabled = true
    try {
      const json = { token: token.value.trim(), name: name.value.trim(), password: password.value }
      await ask('/api/v1/setup', { method: 'POST', json })
      await startSession()
      location.hash = '#/'
      dispatchEvent(new Event('signed-in'))
      say('The archive is set up.')
    } catch (error) {
      fill(told, problem(error))
      tokenLabel.hidden = false
    } finally {
      button.disabled = false
    }
  }
  fill(
    main,
    h(
      'section',
      { class: 'card narrow' },
      h('h1', {}, `Welcome to ${session.site}`),
      h('p', { class: 'quiet' }, 'Make the first account. It administers the archive; the link works once.'),
      told,
      h('form', { class: 'stack', onsubmit: submit }, tokenLabel, nameLabel, passwordLabel, againLabel, button),
    ),
  )
  name.focus()
}
