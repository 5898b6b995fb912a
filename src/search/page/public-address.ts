import { lookup } from 'node:dns'
import type { LookupAddress } from 'node:dns'
import { BlockList, isIP } from 'node:net'
import type { LookupFunction } from 'node:net'

// A document may name any address, also one that only this machine or its network reaches: a router, a database, a cloud's
// metadata (169.254.169.254). Those are never asked.

/** IANA's special-purpose IPv4 addresses, multicast and reserved ones: `network/bits`. */
const SPECIAL_4 =
  '0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 ' +
  '192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3'
/** All of IPv6's global addresses. IPv4 in IPv6 (mapped, NAT64), local and link-local ones lie outside. */
const GLOBAL_6 = '2000::/3'
/** What is special in them: Teredo and others, documentation, 6to4. */
const SPECIAL_6 = '2001::/23 2001:db8::/32 2002::/16 3fff::/20'

function blocks(networks: string, family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList()
  for (const network of networks.split(' ')) {
    const [address, bits] = network.split('/')
    list.addSubnet(address!, Number(bits), family)
  }
  return list
}

const special4 = blocks(SPECIAL_4, 'ipv4')
const global6 = blocks(GLOBAL_6, 'ipv6')
const special6 = blocks(SPECIAL_6, 'ipv6')

/** True for an address of the open internet. */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !special4.check(address, 'ipv4')
    case 6:
      return !address.includes('%') && global6.check(address, 'ipv6') && !special6.check(address, 'ipv6')
    default:
      return false
  }
}

/**
 * A `lookup` for a connection, which then goes to the very address that was checked. A name is refused where any of its
 * addresses is: which one answers is up to whoever owns the name.
 */
export function checkedLookup(allows: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found: LookupAddress[]) => {
      if (error) return callback(error, [])
      const refused = found.find(({ address }) => !allows(address))
      if (refused) return callback(notPublic(hostname, refused.address), [])
      if (options.all) callback(null, found)
      else callback(null, found[0]!.address, found[0]!.family)
    })
  }
}

export const notPublic = (host: string, address = host): Error =>
  new Error(`${host}${address === host ? '' : ` (${address})`} is no address of the open internet`)
