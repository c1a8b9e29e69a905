export const found = {
  target: 'hl7',
  seed: 839033,
  why: "AssertionError: Expected values to be strictly equal:  '?' !== 'ﾚ' ",
  hex: '4d53487c5e5c7c7c7c7c7c7c7c4f52555e7cda7c7c322e337c7c7c7c7c7c49534f2049523134',
}
