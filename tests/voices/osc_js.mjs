// What npm's `osc` makes of packets: each comes on stdin after its length (int32), one line of JSON goes out for each.
// A line is a list of [time tag, address, arguments] in the order of the packet, or {"error": …}.
import { readFileSync } from 'node:fs'
import osc from 'osc'

const hex = (bytes) => Buffer.from(bytes).toString('hex')

function real(number) {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(number)
  return Number.isNaN(number) ? 'nan' : hex(bytes)
}

function time({ raw: [seconds, fraction] }) {
  return `${seconds >>> 0}:${fraction >>> 0}`
}

function argument(arg) {
  if (Array.isArray(arg)) return [['[', ''], ...arg.flatMap(argument), [']', '']]
  const { type, value } = arg
  switch (type) {
    case 'i': return [['i', String(value)]]
    case 'h': return [['h', String(value)]] // a Long
    case 'f': return [['f', real(value)]]
    case 'd': return [['d', real(value)]]
    case 'c': return [['c', String(value.codePointAt(0) ?? '')]]
    case 'b': return [['b', hex(value)]]
    case 't': return [['t', time(value)]]
    case 'r': return [['r', hex([value.r, value.g, value.b, Math.round(value.a * 255)])]]
    case 'm': return [['m', hex(value)]]
    case 's':
    case 'S': return [[type, value]]
    default: return [[type, '']]
  }
}

function flat(packet, timetag, found) {
  if (packet.packets) for (const inner of packet.packets) flat(inner, time(packet.timeTag), found)
  else found.push([timetag, packet.address, packet.args.flatMap(argument)])
  return found
}

const input = readFileSync(0)
const lines = []
for (let at = 0; at < input.length;) {
  const size = input.readInt32BE(at)
  const bytes = new Uint8Array(input.subarray(at + 4, at + 4 + size))
  at += 4 + size
  let line
  try {
    line = flat(osc.readPacket(bytes, { metadata: true, unpackSingleArgs: false }), '', [])
  } catch (error) {
    line = { error: error.message }
  }
  lines.push(JSON.stringify(line))
}
process.stdout.write(lines.join('\n') + '\n')
