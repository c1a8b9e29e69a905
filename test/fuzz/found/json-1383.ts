export const found = {
  target: 'json',
  seed: 1383,
  why: 'a name of padding only became an object without keys',
  hex: '7b223265353034366333223a7b227672223a22504e222c2256616c7565223a5b7b2250686f6e65746963223a225c7530303030227d2c6e756c6c2c6e756c6c5d7d7d',
}
