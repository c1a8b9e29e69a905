export const found = {
  target: 'json',
  seed: 1352,
  why: 'an ESC in a name was taken for a code extension',
  hex: '7b223030303830303138223a7b227672223a22504e222c2256616c7565223a5b7b22416c7068616265746963223a225c7530303162227d2c6e756c6c5d7d7d',
}
