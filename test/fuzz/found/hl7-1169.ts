export const found = {
  target: 'hl7',
  seed: 1169,
  why: 'Hl7Error: line 2 of the message is no segment',
  hex: '4d53487c7c7c7c7c7c7c7c7c7c7c005c58304435305c',
}
