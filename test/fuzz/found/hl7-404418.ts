export const found = {
  target: 'hl7',
  seed: 404418,
  why: "AssertionError: Expected values to be strictly equal:  '?' !== 'Ï' ",
  hex: '4d53487c5e7e7c1b7c7c7c7c7c7c4f52557ccf7c7c322e337c7c7c7c7c7c383835392f317e383835392f35',
}
